from pathlib import Path

import pytest

from mimic_composition.launcher.errors import LaunchFileError
from mimic_composition.launcher.plan import Delay, Load, Log, Plan, Process, Shutdown
from mimic_composition.launcher.reader import Reader


@pytest.fixture
def read(prefix: Path, tmp_path: Path):
    def read(body: str, root: str = 'launch', **arguments: str) -> Plan:
        path = tmp_path / 'a.launch.xml'
        path.write_text(f'<{root}>\n{body}\n</{root}>\n')
        return Reader({'AMENT_PREFIX_PATH': str(prefix)}, tmp_path).read(path, arguments)

    return read


def _tail(process: object) -> tuple[str, ...]:
    assert isinstance(process, Process)
    return process.argv[1:]


NODE = '<node pkg="show" exec="show" {}/>'


def test_bare_and_named_nodes(read):
    steps = read(NODE.format('') + NODE.format('name="plain"')).steps
    assert _tail(steps[0]) == ('--ros-args',)
    assert _tail(steps[1]) == ('--ros-args', '-r', '__node:=plain')


def test_order_in_a_group(read):
    body = """<group><push_ros_namespace namespace="robot"/>
      <set_parameter name="use_sim_time" value="true"/><set_remap from="g1" to="g2"/>
      <node pkg="show" exec="show" name="n">
        <param name="q" value="1"/><remap from="l1" to="l2"/></node>
      </group><node pkg="show" exec="show" name="outside"/>"""
    inside, outside = read(body).steps
    argv = _tail(inside)
    assert argv[:7] == (
        '--ros-args', '-r', '__node:=n', '-r', '__ns:=/robot', '-p', 'use_sim_time:=True',
    )  # fmt: skip
    assert argv[7] == '--params-file'
    assert argv[9:] == ('-r', 'g1:=g2', '-r', 'l1:=l2')
    assert Path(argv[8]).read_text() == '/robot/n:\n  ros__parameters:\n    q: 1\n'
    assert _tail(outside) == ('--ros-args', '-r', '__node:=outside')


def test_containers_and_what_they_load(read, tmp_path: Path):
    (tmp_path / 'p.yaml').write_text('/**:\n  ros__parameters: {a: 1, b: 2}\n')
    body = f"""<group><push_ros_namespace namespace="robot"/>
      <set_parameter name="use_sim_time" value="true"/><set_remap from="g1" to="g2"/>
      <node_container pkg="show" exec="show" name="box" namespace="" args="--x 1">
        <param name="thread_num" value="2"/>
        <composable_node pkg="p" plugin="p.node::Node" name="one" namespace="in">
          <param from="{tmp_path}/p.yaml"/><param name="b" value="3"/><remap from="l1" to="l2"/>
          <extra_arg name="use_intra_process_comms" value="true"/>
        </composable_node>
        <composable_node pkg="p" plugin="p.node::Node" name="two" if="false"/>
      </node_container></group>
      <load_composable_node target="robot/box">
        <composable_node pkg="p" plugin="p.node::Node" name="three"/>
      </load_composable_node>"""
    container, first, second = read(body).steps
    argv = _tail(container)
    assert argv[:9] == (
        '--x', '1', '--ros-args', '-r', '__node:=box', '-r', '__ns:=/robot', '-p',
        'use_sim_time:=True',
    )  # fmt: skip
    assert isinstance(first, Load)
    assert isinstance(second, Load)
    assert first.container == second.container == '/robot/box'
    (one,) = first.components
    assert (one.package, one.plugin, one.name) == ('p', 'p.node::Node', 'one')
    assert one.namespace == '/robot/in'
    assert one.remaps == (('g1', 'g2'), ('l1', 'l2'))
    assert one.parameters == {'use_sim_time': True, 'a': 1, 'b': 3}
    assert one.extra_arguments == {'use_intra_process_comms': True}
    assert second.components[0].namespace == ''


def test_an_include_has_no_scope_but_a_group_has(read, tmp_path: Path):
    (tmp_path / 'b.launch.xml').write_text('<launch><arg name="who" default="carl"/></launch>')
    include = '<include file="$(dirname)/b.launch.xml">{}</include>'
    log = '<log message="$(var who none)"/>'
    bob = include.format('<arg name="who" value="bob"/>')
    assert read(bob + log).steps == (Log('bob'),)
    assert read(f'<group>{bob}</group>' + log).steps == (Log('none'),)
    assert read(f'<group scoped="false">{bob}</group>' + log).steps == (Log('bob'),)
    assert read(include.format('') + log).steps == (Log('carl'),)
    assert read(include.format('') + log, who='dora').steps == (Log('dora'),)


def test_environment_timers_and_the_rest(read):
    body = """<set_env name="A" value="1"/><executable cmd="echo 'q q'" name="say" output="screen"
        respawn="true" respawn_delay="0.5" respawn_max_retries="2" on_exit="shutdown" cwd="/tmp"
        sigterm_timeout="1.5"><env name="B" value="2"/></executable>
      <unset_env name="A"/><executable cmd="true"/>
      <timer period="2"><shutdown reason="enough"/></timer>"""
    say, true, timer = read(body).steps
    assert isinstance(say, Process)
    assert say.argv == ('echo', 'q q')
    assert (say.label, say.output, say.cwd) == ('say', 'screen', '/tmp')
    assert (say.respawn, say.respawn_delay, say.respawn_max_retries) == (True, 0.5, 2)
    assert say.required
    assert (say.sigterm_timeout, say.sigkill_timeout) == (1.5, 5.0)
    assert (say.environment['A'], say.environment['B']) == ('1', '2')
    assert isinstance(true, Process)
    assert 'A' not in true.environment
    assert 'B' not in true.environment
    assert timer == Delay(2.0, (Shutdown('enough'),))


def test_arguments_are_listed_and_unknown_ones_reported(read):
    body = """<arg name="arm" default="x" description="Which arm"><choice value="x"/></arg>
      <arg name="hand" default="$(var arm)_hand" description="Which hand"/>
      <log message="$(var hand)"/>"""
    plan = read(body, hnd='y')
    assert plan.steps == (Log('x_hand'),)
    assert [a.name for a in plan.arguments] == ['arm', 'hand']
    assert plan.arguments[0].choices == ('x',)
    assert "unknown launch argument 'hnd'. Did you mean 'hand'?" in plan.warnings[0]


@pytest.mark.parametrize(
    ('body', 'says'),
    [
        ('<nod pkg="show" exec="show"/>', "unknown tag in <launch> 'nod'. Did you mean 'node'?"),
        ('<set_use_sim_time value="true"/>', "unknown tag in <launch> 'set_use_sim_time'"),
        ('<node pkg="show" exec="show" foo="1"/>', "unknown attribute of <node> 'foo'"),
        ('<node pkg="show"/>', "<node> needs the attribute 'exec'"),
        ('<node pkg="shw" exec="show"/>', "Did you mean 'show'?"),
        ('<node pkg="show" exec="shw"/>', "unknown executable of show 'shw'"),
        ('<node pkg="show" exec="show" name="a b"/>', "'a b' is not a valid node name"),
        ('<node pkg="show" exec="show" namespace="1x"/>', "'/1x' is not a valid namespace"),
        ('<node pkg="show" exec="show" output="loud"/>', "output is 'loud'"),
        ('<node pkg="show" exec="show" on_exit="dance"/>', "on_exit is 'dance'"),
        ('<node pkg="show" exec="show" respawn_delay="-1"/>', 'respawn_delay'),
        ('<node pkg="show" exec="show" if="yes"/>', "'yes' is not one of true"),
        ('<node pkg="show" exec="show" if="1" unless="1"/>', 'both if and unless'),
        ('<node pkg="show" exec="show"><param value="1"/></node>', "one of 'name' and 'from'"),
        ('<node pkg="show" exec="show"><param name="a"/></node>', 'either a value or'),
        ('<node pkg="show" exec="show"><param from="/none"/></node>', "parameter file '/none'"),
        ('<node pkg="show" exec="show"><remap from="a"/></node>', "needs the attribute 'to'"),
        ('<arg name="a"/>', "argument 'a' () must be given"),
        ('<arg name="a" default="y"><choice value="x"/></arg>', "'y', not one of x"),
        ('<log message="$(var x)"/>', "unknown launch argument 'x'"),
        ('<include file="/none.launch.xml"/>', "cannot read launch file '/none.launch.xml'"),
        ('<include file="$(filename)"/>', 'includes itself'),
        ('<executable cmd=""/>', 'the command is empty'),
        ('<set_parameter name="a" value="[1, 2]"/>', 'takes no lists'),
        ('<timer period="x"/>', "'x' is not float"),
        ('<group><let name="a"/></group>', "<let> needs the attribute 'value'"),
        # Also where it is not reached.
        ('<group if="false"><nod/></group>', "unknown tag in <group> 'nod'"),
    ],
)
def test_refusals_say_where_and_why(read, body: str, says: str):
    with pytest.raises(LaunchFileError) as error:
        read(body)
    assert says in str(error.value)
    assert 'a.launch.xml:' in str(error.value)


@pytest.mark.parametrize(('text', 'says'), [('<launch>', 'not XML'), ('<robot/>', 'not <launch>')])
def test_files_that_are_no_launch_files(tmp_path: Path, text: str, says: str):
    path = tmp_path / 'a.launch.xml'
    path.write_text(text)
    with pytest.raises(LaunchFileError, match=says):
        Reader({}, tmp_path).read(path, {})


def test_errors_name_the_line(read):
    with pytest.raises(LaunchFileError, match=r'a\.launch\.xml:4: '):
        read('\n\n<log message="$(var x)"/>')


def test_a_foreign_program_does_not_get_the_libraries_of_the_wheels(prefix: Path, tmp_path: Path):
    environment = {
        'AMENT_PREFIX_PATH': str(prefix),
        '_ROS_WHEELS_BOOTSTRAP_COMPLETE': '1',
        'LD_LIBRARY_PATH': '/somewhere/lib',
    }
    path = tmp_path / 'a.launch.xml'
    path.write_text('<launch><executable cmd="true"/><node pkg="show" exec="show"/></launch>')
    foreign, own = Reader(environment, tmp_path).read(path, {}).processes()
    assert 'LD_LIBRARY_PATH' not in foreign.environment
    assert own.environment['LD_LIBRARY_PATH'] == '/somewhere/lib'
