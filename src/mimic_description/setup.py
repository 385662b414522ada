import os
from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = 'mimic_description'


def tree(folder: str) -> list[tuple[str, list[str]]]:
    """Files below a folder (a link into the repository), each to its place in the share."""
    return [
        (f'share/{PACKAGE}/{root}', [str(Path(root) / name) for name in sorted(files)])
        for root, _, files in os.walk(folder, followlinks=True)
        if files
    ]


setup(
    name=PACKAGE,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    package_data={PACKAGE: ['py.typed']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (f'share/{PACKAGE}', ['package.xml']),
        *tree('urdf'),
        *tree('robots'),
    ],
    zip_safe=False,
    maintainer='mimic maintainers',
    maintainer_email='maintainers@mimic.invalid',
    description='URDF, registry and models of the robots.',
    license='Apache-2.0',
    extras_require={'test': ['pytest']},
    entry_points={
        'console_scripts': [
            'state_publisher = mimic_description.node:main',
            'render = mimic_description.render:main',
            'driver_package = mimic_description.drivers:main',
        ],
    },
)
