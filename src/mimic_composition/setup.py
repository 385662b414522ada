from setuptools import find_packages, setup

PACKAGE = 'mimic_composition'

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
    description='A container for Python nodes, and the launcher where ros2 launch is missing.',
    license='Apache-2.0',
    extras_require={'test': ['pytest']},
    entry_points={
        'console_scripts': [
            'container = mimic_composition.node:main',
            'launch = mimic_composition.launcher.cli:main',
            'load = mimic_composition.load_node:main',
        ],
    },
)
