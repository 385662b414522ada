from setuptools import find_packages, setup

PACKAGE = 'mimic_moveit'

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
    description='ros2_control and MoveIt 2 for the robots of the registry.',
    license='Apache-2.0',
    extras_require={'test': ['pytest']},
    entry_points={
        'console_scripts': [
            'moveit_config = mimic_moveit.generate:main',
            'joint_command_relay = mimic_moveit.relay_node:main',
            'servo_bridge = mimic_moveit.servo_bridge_node:main',
        ]
    },
)
