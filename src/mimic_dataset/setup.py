from setuptools import find_packages, setup

PACKAGE = 'mimic_dataset'

setup(
    name=PACKAGE,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    package_data={PACKAGE: ['py.typed']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (f'share/{PACKAGE}', ['package.xml']),
    ],
    zip_safe=False,
    maintainer='mimic maintainers',
    maintainer_email='maintainers@mimic.invalid',
    description='Bags and videos as LeRobotDataset v3.0 and robomimic HDF5.',
    license='Apache-2.0',
    entry_points={'console_scripts': ['dataset = mimic_dataset.command:main']},
    extras_require={'test': ['pytest']},
)
