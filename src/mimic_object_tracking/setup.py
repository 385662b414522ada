from setuptools import find_packages, setup

PACKAGE = 'mimic_object_tracking'

setup(
    name=PACKAGE,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    package_data={PACKAGE: ['py.typed']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (f'share/{PACKAGE}', ['package.xml']),
        (f'share/{PACKAGE}/launch', ['launch/object_tracking.launch.xml']),
        (f'share/{PACKAGE}/meshes', ['meshes/cube.obj']),
    ],
    zip_safe=False,
    maintainer='mimic maintainers',
    maintainer_email='maintainers@mimic.invalid',
    description='RGB-D frames to 6-DoF poses of known objects.',
    license='Apache-2.0',
    extras_require={'test': ['pytest']},
    entry_points={
        'console_scripts': [
            f'object_tracking = {PACKAGE}.node:main',
            f'track = {PACKAGE}.cli:main',
        ]
    },
)
