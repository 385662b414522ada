from setuptools import find_packages, setup

PACKAGE = 'mimic_policy'

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
    description='Diffusion policies: training, checkpoints, and running them.',
    license='Apache-2.0',
    extras_require={'test': ['pytest']},
    entry_points={
        'console_scripts': [
            'checkpoint_fact = mimic_policy.facts:main',
            'evaluate = mimic_policy.evaluate_cli:main',
            'policy = mimic_policy.node:main',
            'train = mimic_policy.train_command:main',
        ]
    },
)
