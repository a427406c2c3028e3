"""Which connections are taken, and which make room."""

from bff.http.connections import Connections


class Held:
    """A connection, idle or not."""

    def __init__(self, *, idle: bool = True) -> None:
        self.idle = idle
        self.closed = False

    def force_close(self) -> None:
        self.closed = True


def test_one_more_than_a_network_may_have_takes_the_place_of_its_idle_one() -> None:
    connections = Connections(most=100, most_of_network=2)
    busy, idle, stranger, new = Held(idle=False), Held(), Held(), Held()
    assert connections.enter(stranger, "198.51.100.1")
    assert connections.enter(busy, "203.0.113.1")
    assert connections.enter(idle, "203.0.113.1")
    assert connections.enter(new, "203.0.113.1")
    assert [held.closed for held in (stranger, busy, idle, new)] == [False, False, True, False]


def test_when_all_of_a_network_are_busy_there_is_no_room_until_one_ends() -> None:
    connections = Connections(most=100, most_of_network=2)
    busy = [Held(idle=False), Held(idle=False)]
    assert all(connections.enter(held, "203.0.113.1") for held in busy)
    assert not connections.enter(Held(), "203.0.113.1")
    assert connections.enter(Held(), "203.0.113.2")
    connections.leave(busy[0])
    connections.leave(busy[0])  # told twice: of its closing, and of its end
    assert connections.enter(Held(), "203.0.113.1")


def test_of_all_the_one_that_was_quiet_for_longest_goes() -> None:
    connections = Connections(most=3, most_of_network=3)
    first, second, third = Held(), Held(), Held()
    for number, held in enumerate((first, second, third)):
        assert connections.enter(held, f"203.0.113.{number}" if number else None)
    connections.use(first)
    assert connections.enter(Held(), None)
    assert [held.closed for held in (first, second, third)] == [False, True, False]
    connections.use(second)
    assert connections.enter(Held(), "203.0.113.9")
    assert [held.closed for held in (first, third)] == [False, True]
