"""The deadman: exact semantics, and the bytes of the kernel through pipes and terminals."""

import os
import pty
import time

import pytest

from mimic_control.deadman import DOWN, REPEAT, UP, Buttons, Press, RepeatedKey
from mimic_control.event_device import (
    EV_KEY,
    EV_SYN,
    EVENT,
    SYN_DROPPED,
    EventDevice,
    Input,
    find_input,
    key_codes,
    list_inputs,
)
from mimic_control.operator_source import (
    DeviceSource,
    OperatorParams,
    TerminalSource,
    open_source,
)
from mimic_core.errors import PortError, UnknownNameError

A, B, STOP, OTHER = 30, 48, 1, 99


def events(*rows: tuple[int, int, int]) -> bytes:
    """Return what the kernel writes: each change and a report."""
    data = b''
    for kind, code, value in rows:
        data += EVENT.pack(5, 6, kind, code, value) + EVENT.pack(5, 6, EV_SYN, 0, 0)
    return data


def press(buttons: Buttons, *rows: tuple[int, int], now: float = 0.0) -> bool:
    return any([buttons.press(Press(code, value), now) for code, value in rows])


def test_one_button_is_held_from_down_to_up() -> None:
    buttons = Buttons([A], [STOP])
    assert not buttons.held(0.0)
    assert not press(buttons, (A, DOWN))
    assert buttons.held(0.0) and buttons.held(1e6)
    press(buttons, (A, REPEAT), (OTHER, DOWN), (OTHER, UP))
    assert buttons.held(1.0)
    press(buttons, (A, UP))
    assert not buttons.held(1.0)


def test_two_buttons_must_both_be_down() -> None:
    buttons = Buttons([A, B], [STOP])
    press(buttons, (A, DOWN))
    assert not buttons.held(0.0)
    press(buttons, (B, DOWN))
    assert buttons.held(0.0)
    press(buttons, (A, UP))
    assert not buttons.held(0.0)
    press(buttons, (A, DOWN))
    assert buttons.held(0.0)


def test_a_repeat_without_a_press_holds_nothing() -> None:
    buttons = Buttons([A], [STOP])
    press(buttons, (A, REPEAT), (A, REPEAT))
    assert not buttons.held(0.0)


def test_what_was_down_before_must_be_let_go_first() -> None:
    buttons = Buttons([A], [STOP])
    buttons.forget(down=[A, OTHER])
    press(buttons, (A, REPEAT), (A, DOWN))
    assert not buttons.held(0.0)
    press(buttons, (A, UP), (A, DOWN))
    assert buttons.held(0.0)


def test_stop_wins_until_all_is_let_go() -> None:
    buttons = Buttons([A], [STOP])
    press(buttons, (A, DOWN))
    assert press(buttons, (STOP, DOWN))
    assert not buttons.held(0.0)
    assert not press(buttons, (STOP, REPEAT), (STOP, UP))
    assert not buttons.held(0.0)
    press(buttons, (A, UP), (A, DOWN))
    assert buttons.held(0.0)
    idle = Buttons([A], [STOP])
    assert press(idle, (STOP, DOWN))
    press(idle, (A, DOWN))
    assert idle.held(0.0)  # it was let go when the stop came


def test_a_jammed_pedal_holds_only_so_long() -> None:
    buttons = Buttons([A], [STOP], max_hold=10.0)
    press(buttons, (A, DOWN), now=5.0)
    assert buttons.held(14.9)
    assert not buttons.held(15.1)
    assert not buttons.held(5.5), 'spent, whatever the clock says'
    press(buttons, (A, UP), (A, DOWN), now=20.0)
    assert buttons.held(20.1)


def test_a_terminal_key_is_held_while_it_repeats() -> None:
    key = RepeatedKey(0.8, 0.15)
    key.press(10.0)
    assert not key.held(10.01), 'it may be a tap'
    key.press(10.5)  # the keyboard begins to repeat
    assert key.held(10.5)
    for k in range(30):
        key.press(10.53 + 0.033 * k)
        assert key.held(10.53 + 0.033 * k + 0.03)
    last = 10.53 + 0.033 * 29
    assert key.held(last + 0.14) and not key.held(last + 0.16)
    key.press(last + 0.3)  # too late to be a repeat: a new tap
    assert not key.held(last + 0.3)
    key.forget()
    assert not key.held(last + 0.3)


def test_taps_slower_than_a_repeat_hold_nothing_for_long() -> None:
    key = RepeatedKey(0.8, 0.15)
    held = 0
    for k in range(10):
        key.press(k * 0.5)
        held += key.held(k * 0.5 + 0.2)
    assert held == 0


class Device:
    """A device file that speaks the kernel's bytes: a named pipe."""

    def __init__(self, path) -> None:
        self.path = path
        os.mkfifo(path)
        self.out = None

    def plug(self) -> None:
        self.out = os.open(self.path, os.O_RDWR)

    def send(self, data: bytes) -> None:
        os.write(self.out, data)

    def unplug(self) -> None:
        os.close(self.out)


@pytest.fixture
def device(tmp_path):
    device = Device(tmp_path / 'event0')
    device.plug()
    return device


def test_bytes_in_any_pieces_are_presses(device) -> None:
    reader = EventDevice(device.path)
    data = events((EV_KEY, A, DOWN), (2, 0, 7), (EV_KEY, A, UP))
    got = []
    for i in range(0, len(data), 7):
        device.send(data[i : i + 7])
        presses, lost = reader.read()
        got += presses
        assert not lost
    assert got == [Press(A, DOWN), Press(A, UP)]
    assert reader.read() == ([], False)
    device.send(events((EV_KEY, A, DOWN)) + EVENT.pack(0, 0, EV_SYN, SYN_DROPPED, 0))
    assert reader.read() == ([], True)
    reader.close()


@pytest.fixture
def params(device):
    pytest.importorskip('evdev', reason='names of keys come from the library evdev')
    return OperatorParams(
        device=str(device.path), hold=('KEY_A',), stop=('KEY_ESC',), reconnect_period=0.5
    )


def test_a_device_holds_stops_goes_and_comes_back(device, params) -> None:
    source = DeviceSource(params, lambda: [])
    assert not source.poll(0.0).held
    device.send(events((EV_KEY, A, DOWN)))
    assert source.poll(0.01).held and source.poll(3.0).held
    device.send(EVENT.pack(0, 0, EV_SYN, SYN_DROPPED, 0))
    wish = source.poll(3.01)
    assert not wish.held and not wish.stop and 'lost' in wish.note
    device.send(events((EV_KEY, A, UP), (EV_KEY, A, DOWN)))
    assert source.poll(3.02).held
    device.send(events((EV_KEY, STOP, DOWN)))
    wish = source.poll(3.03)
    assert not wish.held and 'stop button' in wish.stop
    device.send(events((EV_KEY, A, UP), (EV_KEY, A, DOWN)))
    assert source.poll(3.04).held
    device.unplug()
    wish = source.poll(3.05)
    assert not wish.held and 'gone' in wish.stop
    assert source.poll(3.06).stop == '', 'it is told once'
    device.path.unlink()
    assert source.poll(4.0).note == ''  # it is not back yet
    os.mkfifo(device.path)
    device.plug()
    assert source.poll(4.1).note == '', 'not before the period is over'
    assert 'is back' in source.poll(4.6).note
    assert not source.poll(4.61).held
    device.send(events((EV_KEY, A, DOWN)))
    assert source.poll(4.62).held
    source.close()


def test_devices_that_cannot_be_used_are_told(device, params, tmp_path, monkeypatch) -> None:
    pedal = Input(tmp_path / 'event0', 'ACME Foot Pedal')
    mouse = Input(tmp_path / 'event1', 'ACME Mouse')
    assert find_input('foot', [pedal, mouse]) == pedal.path
    with pytest.raises(PortError, match=r"no input device has 'wheel'.*event0 \(ACME Foot"):
        find_input('wheel', [pedal, mouse])
    with pytest.raises(PortError, match='more than one'):
        find_input('acme', [pedal, mouse])
    with pytest.raises(PortError, match=r"there is no input device '/dev/none'.*Mouse"):
        find_input('/dev/none', [pedal, mouse])
    with pytest.raises(UnknownNameError, match='KEY_SPACE'):
        key_codes(['KEY_SPACEBAR'])
    assert key_codes(['KEY_A', 'KEY_ESC', 'BTN_TR']) == (A, STOP, 311)

    def refuse(*_: object) -> int:
        raise PermissionError(13, 'Permission denied')

    with monkeypatch.context() as patch:
        patch.setattr(os, 'open', refuse)
        with pytest.raises(PortError, match='group input'):
            EventDevice(device.path)


def test_inputs_are_listed_without_permission_to_read_them(tmp_path) -> None:
    for number, name in ((0, 'Power Button'), (10, 'Foot Pedal'), (2, 'Keyboard')):
        folder = tmp_path / f'event{number}' / 'device'
        folder.mkdir(parents=True)
        (folder / 'name').write_text(f'{name}\n')
    found = list_inputs(tmp_path, tmp_path / 'dev')
    assert [item.name for item in found] == ['Power Button', 'Keyboard', 'Foot Pedal']
    assert found[2].path == tmp_path / 'dev' / 'event10'
    assert list_inputs(tmp_path / 'nothing') == []


def test_a_terminal_holds_stops_and_goes() -> None:
    master, slave = pty.openpty()
    source = TerminalSource(OperatorParams(), slave)
    assert not source.poll(0.0).held
    os.write(master, b' ')
    time.sleep(0.02)
    assert not source.poll(0.0).held
    os.write(master, b' ')
    time.sleep(0.02)
    assert source.poll(0.5).held
    assert source.poll(0.6).held
    assert not source.poll(0.7).held
    os.write(master, b'x')
    time.sleep(0.02)
    assert source.poll(0.8).stop
    os.close(master)
    wish = source.poll(0.9)
    assert not wish.held and 'gone' in wish.stop
    assert source.poll(1.0).stop == ''
    source.close()
    os.close(slave)


def test_the_terminal_is_as_before_afterwards() -> None:
    import termios

    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    source = TerminalSource(OperatorParams(), slave)
    assert termios.tcgetattr(slave) != before
    source.close()
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


def test_which_source_is_opened(device, params, monkeypatch) -> None:
    source, how = open_source(params, lambda: [])
    assert isinstance(source, DeviceSource) and 'hold KEY_A' in how
    source.close()
    keyboard = Input(device.path, 'AT Keyboard')
    free = OperatorParams(hold=('KEY_A',))
    source, how = open_source(free, lambda: [keyboard])
    assert isinstance(source, DeviceSource) and str(device.path) in how
    source.close()
    master, slave = pty.openpty()
    monkeypatch.setattr('sys.stdin', os.fdopen(slave, 'r'))
    source, how = open_source(free, lambda: [])
    assert isinstance(source, TerminalSource) and 'space bar' in how and '0.15 s' in how
    source.close()
    os.close(master)
    read_end, _ = os.pipe()
    with pytest.raises(PortError, match='no terminal'):
        TerminalSource(free, read_end)


UINPUT = os.access('/dev/uinput', os.W_OK)


@pytest.mark.skipif(not UINPUT, reason='no permission to make input devices (/dev/uinput)')
def test_a_device_of_the_kernel() -> None:
    evdev = pytest.importorskip('evdev')
    made = evdev.UInput({evdev.ecodes.EV_KEY: [A, STOP]}, name='mimic test pedal')
    try:
        end = time.monotonic() + 5.0
        while not any(i.name == 'mimic test pedal' for i in list_inputs()):
            assert time.monotonic() < end
            time.sleep(0.05)
        source = DeviceSource(OperatorParams(device='mimic test pedal', hold=('KEY_A',)))
        made.write(EV_KEY, A, DOWN)
        made.syn()
        time.sleep(0.1)
        assert source.poll(0.0).held
        source.close()
    finally:
        made.close()
