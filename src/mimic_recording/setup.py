from setuptools import find_packages, setup

PACKAGE = 'mimic_recording'

setup(
    name=PACKAGE,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    package_data={PACKAGE: ['py.typed']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (f'share/{PACKAGE}', ['package.xml']),
        (f'share/{PACKAGE}/launch', ['launch/recording.launch.xml']),
    ],
    zip_safe=False,
    maintainer='mimic maintainers',
    maintainer_email='maintainers@mimic.invalid',
    description='Episodes as rosbag2/MCAP: recording, recovery, reading, reports, replay.',
    license='Apache-2.0',
    extras_require={'test': ['pytest']},
    entry_points={
        'console_scripts': [
            f'recorder = {PACKAGE}.node:main',
            f'collector = {PACKAGE}.collect_node:main',
            f'replay = {PACKAGE}.replay_node:main',
            f'episodes = {PACKAGE}.episodes:main',
            f'show = {PACKAGE}.show_node:main',
            f'play = {PACKAGE}.play_node:main',
        ],
    },
)
