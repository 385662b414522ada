from setuptools import find_packages, setup

PACKAGE = 'mimic_fin_ray_driver'

setup(
    name=PACKAGE,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    package_data={PACKAGE: ['py.typed']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (f'share/{PACKAGE}', ['package.xml']),
        (f'share/{PACKAGE}/launch', ['launch/driver.launch.xml']),
    ],
    zip_safe=False,
    maintainer='mimic maintainers',
    maintainer_email='maintainers@mimic.invalid',
    description='Driver of Fin Ray grippers: WSG-50 on TCP, or a Dynamixel servo.',
    license='Apache-2.0',
    extras_require={'test': ['pytest']},
    entry_points={
        'console_scripts': [
            'driver = mimic_fin_ray_driver.node:main',
            'emulator = mimic_fin_ray_driver.emulator:main',
        ]
    },
)
