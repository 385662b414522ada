"""Shapes without a browser, and the page as a browser's first request sees it."""

import urllib.request

import numpy as np
import pytest

from mimic_description import load_robot
from mimic_viewer import Actions, Page
from mimic_viewer.shapes import link_meshes, link_poses


@pytest.fixture
def robot():
    return load_robot('iiwa14', 'allegro')


def test_every_link_with_a_shape_has_a_mesh_of_the_right_size(robot):
    meshes = link_meshes(robot)
    drawn = {name for name, link in robot.tree.links.items() if link.shapes}
    assert set(meshes) == drawn and len(drawn) > 20
    for name, mesh in meshes.items():
        corners = []
        for shape in robot.tree.links[name].shapes:
            reach = sum(shape.size)
            corners.append(np.linalg.norm(shape.link_T_shape[:3, 3]) + reach)
        assert np.linalg.norm(mesh.vertices, axis=1).max() <= max(corners)


def test_a_capsule_is_centred_and_has_its_caps():
    from mimic_description.tree import Shape
    from mimic_viewer.shapes import mesh_of

    mesh = mesh_of(Shape('capsule', (0.02, 0.1), np.eye(4), (1, 0, 0, 1)))
    np.testing.assert_allclose(mesh.bounds, [[-0.02, -0.02, -0.07], [0.02, 0.02, 0.07]], atol=2e-3)


def test_poses_follow_the_joints(robot):
    home = link_poses(robot, robot.home)
    moved = robot.home.copy()
    moved[0] += 0.5
    poses = link_poses(robot, moved)
    fixed = [n for n in home if np.allclose(home[n], poses[n])]
    assert fixed and len(fixed) < len(home)


def test_the_page_answers_and_takes_everything(robot, free_port):
    nothing = lambda: None  # noqa: E731
    page = Page(robot, Actions(*[nothing] * 13), '127.0.0.1', free_port)
    try:
        text = urllib.request.urlopen(f'http://127.0.0.1:{page.port}', timeout=5).read()
        assert b'<html' in text.lower()
        places = np.array([pose[:3, 3] for pose in link_poses(robot, robot.home).values()])
        camera = page._server.initial_camera
        ahead = (camera.look_at - camera.position) / np.linalg.norm(
            camera.look_at - camera.position
        )
        rays = places - camera.position
        angles = np.arccos(rays @ ahead / np.linalg.norm(rays, axis=1))
        assert 0.1 < angles.max() < 0.5 * camera.fov, 'the robot fills the first view'
        page.show_joints(robot.home + 0.1)
        points = np.random.default_rng(0).normal(size=(21, 3))
        points[3] = np.nan
        page.show_hands({'right': points})
        assert page._hands['right'].thickness_units == 'world'
        assert 0.002 < page._hands['right'].thickness < 0.03, 'bones are as thick as fingers [m]'
        page.show_hands({})
        page.show_objects({'cube': np.eye(4)})
        page.show_picture(np.zeros((240, 320, 3), np.uint8))
        page.show_status({'gate': 'idle'})
    finally:
        page.close()


def test_an_episode_is_told_the_task_that_stands_in_the_field(robot, free_port, press):
    told, nothing = [], lambda: None
    actions = Actions(*[nothing] * 4, lambda **given: told.append(given), *[nothing] * 8)
    page = Page(robot, actions, '127.0.0.1', free_port, 'pick_place')
    try:
        press(page, 'episode', 'start')
        press(page, 'task', ' fold_towel ')
        press(page, 'episode', 'start')
        press(page, 'task', '')
        press(page, 'episode', 'start')
    finally:
        page.close()
    assert told == [{'task': 'pick_place'}, {'task': 'fold_towel'}, {'task': ''}]
