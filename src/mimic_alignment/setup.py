from setuptools import find_packages, setup

PACKAGE = 'mimic_alignment'

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
    description='DTW between human and robot trajectories.',
    license='Apache-2.0',
    extras_require={'test': ['pytest']},
    entry_points={
        'console_scripts': [
            f'align = {PACKAGE}.align_command:main',
            f'alignment = {PACKAGE}.align_node:main',
            f'ingest = {PACKAGE}.ingest_command:main',
        ],
    },
)
