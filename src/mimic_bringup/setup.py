from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = 'mimic_bringup'
HERE = Path(__file__).parent


def installed(folder):
    """Every file of a folder, under the same path in share/."""
    paths = sorted(path for path in (HERE / folder).rglob('*') if path.is_file())
    found = {}
    for path in paths:
        place = path.relative_to(HERE)
        found.setdefault(f'share/{PACKAGE}/{place.parent}', []).append(str(place))
    return list(found.items())


setup(
    name=PACKAGE,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    package_data={PACKAGE: ['py.typed']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (f'share/{PACKAGE}', ['package.xml']),
        *installed('launch'),
        *installed('config'),
    ],
    zip_safe=False,
    maintainer='mimic maintainers',
    maintainer_email='maintainers@mimic.invalid',
    description='Launch files and configuration of the whole system.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            f'demo = {PACKAGE}.demo:main',
            f'film = {PACKAGE}.film:main',
        ],
    },
    extras_require={'test': ['pytest']},
)
