"""Code in docs/architecture.md runs, and links between documents lead somewhere."""

import re

import numpy as np
from workspace import ROOT

from mimic_sim.hand_model import INDEX_TIP, THUMB_TIP
from mimic_sim.tasks import known_tasks

DOCUMENTS = sorted({ROOT / 'README.md', *ROOT.glob('docs/**/*.md'), *ROOT.glob('src/*/README.md')})


def test_the_chain_of_the_architecture_page_follows_the_hand():
    text = (ROOT / 'docs/architecture.md').read_text()
    (code,) = re.findall(r'^```python\n(.*?)^```$', text, re.DOTALL | re.MULTILINE)
    names: dict[str, object] = {}
    exec(compile(code, 'docs/architecture.md', 'exec'), names)
    robot, twin = names['robot'], names['twin']
    try:
        assert names['result'].reason == ''
        assert np.abs(twin.joint_state()[0] - robot.home).max() > 0.05
        tips = names['truth'].keypoints[[THUMB_TIP, INDEX_TIP]]
        pinch = names['person'].world_T_camera @ [*tips.mean(axis=0), 1.0]
        away = np.linalg.norm(twin.grasp_center()[:3, 3] - pinch[:3])
        assert away < 0.1, 'the robot is on its way behind a moving hand'  # [m]
    finally:
        names['tracker'].close()
        names['person'].close()
        twin.close()


def test_links():
    broken = []
    for document in DOCUMENTS:
        for link in re.findall(r'\]\(([^)#\s]+)[^)]*\)', document.read_text()):
            if '://' not in link and not (document.parent / link).exists():
                broken.append(f'{document.relative_to(ROOT)}: {link}')
    assert broken == []


def test_the_pages_of_the_twin_name_every_task():
    for page in ('docs/demonstrator.md', 'src/mimic_sim/README.md'):
        text = (ROOT / page).read_text()
        assert [task for task in known_tasks() if not re.search(rf'\b{task}\b', text)] == [], page
