from glob import glob

from setuptools import find_packages, setup

PACKAGE = 'mimic_viewer'

setup(
    name=PACKAGE,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    package_data={PACKAGE: ['py.typed']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (f'share/{PACKAGE}', ['package.xml']),
        (f'share/{PACKAGE}/launch', glob('launch/*')),
    ],
    zip_safe=False,
    maintainer='mimic maintainers',
    maintainer_email='maintainers@mimic.invalid',
    description='The web page: 3D scene, camera, state, buttons.',
    license='Apache-2.0',
    entry_points={'console_scripts': ['viewer = mimic_viewer.node:main']},
    extras_require={'test': ['pytest']},
)
