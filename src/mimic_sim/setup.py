from glob import glob

from setuptools import find_packages, setup

PACKAGE = 'mimic_sim'

setup(
    name=PACKAGE,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    package_data={PACKAGE: ['py.typed']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (f'share/{PACKAGE}', ['package.xml']),
        (f'share/{PACKAGE}/launch', glob('launch/*.launch.xml')),
    ],
    zip_safe=False,
    maintainer='mimic maintainers',
    maintainer_email='maintainers@mimic.invalid',
    description='The MuJoCo twin: robots, cameras, tasks, and the virtual demonstrator.',
    license='Apache-2.0',
    extras_require={'test': ['pytest']},
    entry_points={
        'console_scripts': [
            'twin = mimic_sim.twin_node:main',
            'demonstrator = mimic_sim.demonstrator_node:main',
        ]
    },
)
