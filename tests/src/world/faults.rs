//! What goes wrong in a world, and how often. Whether it does is drawn from the one seed.

use fastrand::Rng;
use std::ops::RangeInclusive;
use std::time::Duration;

/// How likely something is, in thousandths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PerMille(pub u16);

/// The knobs of a world. All chances are for each request, or each occasion.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Faults {
    /// How long a request, and a reply, are under way.
    pub latency: RangeInclusive<Duration>,
    /// The request never arrives.
    pub request_lost: PerMille,
    /// The request arrives and is carried out, and its reply is lost. Half of them are said to be unreachable after a
    /// while, the other half just dropped.
    pub reply_lost: PerMille,
    /// The reply comes as late as [`late`](Faults::late).
    pub reply_late: PerMille,
    /// How late a late reply, or the news that there will be none, comes.
    pub late: RangeInclusive<Duration>,
    /// A command is carried out a second time, later.
    pub doubled: PerMille,
    /// How much later.
    pub doubled_after: RangeInclusive<Duration>,
    /// A process on a host is held up between two of its steps, for as long as [`late`](Faults::late).
    pub slow_step: PerMille,
    /// A transfer is damaged: what arrives is not what was sent.
    pub damaged: PerMille,
    /// How long a host can be reached between two outages; none for ever.
    pub reachable: Option<RangeInclusive<Duration>>,
    /// How long an outage lasts. What runs on the host goes on.
    pub outage: RangeInclusive<Duration>,
    /// How long a host runs until it starts anew; none for ever.
    pub uptime: Option<RangeInclusive<Duration>>,
    /// What goes wrong at the ssh server, of a host that has one.
    pub ssh: SshFaults,
    /// After this age of the world nothing goes wrong any more, so that everything must come to its end.
    pub calm_after: Duration,
}

/// What goes wrong at an ssh server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SshFaults {
    /// So many channels a session takes (`MaxSessions`).
    pub max_sessions: RangeInclusive<u64>,
    /// Somebody who wants a session gets no answer: for long, or never.
    pub half_open: PerMille,
    /// Somebody who wants a session is turned away (`MaxStartups`).
    pub turned_away: PerMille,
    /// The credentials are refused until a person has seen to that.
    pub locks: PerMille,
    /// How long a session lasts until it breaks; none for ever.
    pub session_life: Option<RangeInclusive<Duration>>,
    /// How long a session lasts until it should get no new work; none for ever.
    pub worn_after: Option<RangeInclusive<Duration>>,
}

impl SshFaults {
    /// Nothing goes wrong; a session takes ten channels, as OpenSSH's do.
    pub const NONE: SshFaults = SshFaults {
        max_sessions: 10..=10,
        half_open: PerMille(0),
        turned_away: PerMille(0),
        locks: PerMille(0),
        session_life: None,
        worn_after: None,
    };

    /// All that can go wrong does, often.
    pub const ALL: SshFaults = SshFaults {
        max_sessions: 1..=6,
        half_open: PerMille(60),
        turned_away: PerMille(100),
        locks: PerMille(15),
        session_life: Some(ms(100, 900_000)),
        worn_after: Some(ms(100, 900_000)),
    };
}

const fn ms(from: u64, to: u64) -> RangeInclusive<Duration> {
    Duration::from_millis(from)..=Duration::from_millis(to)
}

impl Faults {
    /// Nothing goes wrong, and every message takes 5 ms.
    pub const NONE: Faults = Faults {
        latency: ms(5, 5),
        request_lost: PerMille(0),
        reply_lost: PerMille(0),
        reply_late: PerMille(0),
        late: ms(0, 0),
        doubled: PerMille(0),
        doubled_after: ms(0, 0),
        slow_step: PerMille(0),
        damaged: PerMille(0),
        reachable: None,
        outage: ms(0, 0),
        uptime: None,
        ssh: SshFaults::NONE,
        calm_after: Duration::ZERO,
    };

    /// All that can go wrong does, often.
    pub const ALL: Faults = Faults {
        latency: ms(1, 80),
        request_lost: PerMille(30),
        reply_lost: PerMille(50),
        reply_late: PerMille(30),
        late: ms(200, 60_000),
        doubled: PerMille(30),
        doubled_after: ms(1, 120_000),
        slow_step: PerMille(3),
        damaged: PerMille(10),
        reachable: Some(ms(20_000, 900_000)),
        outage: ms(500, 180_000),
        uptime: Some(ms(60_000, 3_600_000)),
        ssh: SshFaults::ALL,
        calm_after: Duration::from_secs(3600),
    };
}

/// Chance, out of one seed.
pub struct Dice {
    rng: Rng,
}

impl Dice {
    /// Dice that fall the same way for the same seed.
    pub fn new(seed: u64) -> Dice {
        Dice { rng: Rng::with_seed(seed) }
    }

    /// Dice of their own, for a part of the world: how often one part rolls does not change what the others see.
    pub fn fork(&mut self) -> Dice {
        Dice { rng: self.rng.fork() }
    }

    /// Whether it happens.
    pub fn chance(&mut self, chance: PerMille) -> bool {
        chance.0 > 0 && self.rng.u16(0..1000) < chance.0
    }

    /// How long.
    pub fn within(&mut self, range: &RangeInclusive<Duration>) -> Duration {
        let micros = |d: &Duration| u64::try_from(d.as_micros()).expect("no range is that long");
        Duration::from_micros(self.rng.u64(micros(range.start())..=micros(range.end())))
    }

    /// How many.
    pub fn within_count(&mut self, range: &RangeInclusive<u64>) -> u64 {
        self.rng.u64(range.clone())
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.rng.u64(0..end)
    }
}
