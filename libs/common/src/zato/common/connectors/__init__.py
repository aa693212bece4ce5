"""
What the connectors share: everything but the protocol. A connector is its kinds, and what runs for an object of each.

    PROTOCOL = Protocol(
        part="connector-zmq",
        channel_type="zmq",
        kinds=(CHANNEL, OUTGOING),
        makers={CHANNEL.name: ZMQChannel, OUTGOING.name: ZMQOutgoing},
    )
    PROGRAM = connector_program(PROTOCOL, ZMQSettings, "The ZeroMQ connector.")     # __main__.py

A maker is called as `maker(configured, context)`, for each active object, when it is new and when it or what it references
has changed; it returns a `Running` (see `running`). Of one that changed, the new one is started, and the old one stopped once
the new one is connected. Kinds that have no maker, definitions, only are referenced: `configured.references["definition"]`.

- A channel makes an `Intake` by `context.intake(configured, settings)` and hands it each message, with a callback that is
  called once, in some thread, with what is to become of the message: `intake.submit(message, settle)`.
- A channel whose options have `runs_once: bool = runs_once()` is made, and started, by the frame only while its process holds
  the channel's lease; its maker must do nothing before `start`.
- An outgoing connection also is a `Publisher`: `publish(messages)` returns once the peer has confirmed each.
  Its options have `when_away: str = when_away()` and `store_limit: int = store_limit()` (see `sending`): servers act on them.
- A channel that keeps dead letters also is a `Morgue`, and a `CountingMorgue` where it knows how many there are.
- Each calls `context.report(is_connected, error)` whenever that changes; the control plane hears of it.
"""
