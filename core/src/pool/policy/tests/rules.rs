//! Single rules, each with the smallest tale that shows it.

use super::*;
use crate::WallTime;
use crate::pool::{Health, Report};

fn report(tale: &Tale) -> Report {
    tale.policy.report(tale.now, |at| {
        WallTime(i64::try_from(at.duration_since(tale.start).as_millis()).expect("a tale is short"))
    })
}

fn health(tale: &Tale) -> Health {
    report(tale).health
}

#[test]
fn reuse_is_never_delayed_and_opens_nothing() {
    let (mut tale, id) = Tale::opened(Rules { burst: 1, hourly: 1, ..Rules::default() });
    for _ in 0..1000 {
        let (ticket, effects) = tale.ask(Urgency::Work);
        assert_eq!(effects, [Effect::Grant(ticket, id, Urgency::Work.into())]);
        assert_eq!(tale.on(Event::Returned(id, Urgency::Work)), []);
    }
    assert_eq!(report(&tale).opened_in_hour, 1);
}

#[test]
fn the_last_channel_is_for_control() {
    let (mut tale, id) = Tale::opened(Rules { max_sessions: 1, channels: 3, ..Rules::default() });
    let all: Vec<_> = (0..5).map(|_| tale.ask(Urgency::Bulk).1).collect();
    assert_eq!(all.iter().filter(|effects| !effects.is_empty()).count(), 3);
    let (ticket, effects) = tale.ask(Urgency::Control);
    assert_eq!(grants(&effects), [(ticket, id)]);
    // A channel that comes back goes to control first, though others wait longer.
    let (control, none) = tale.ask(Urgency::Control);
    assert_eq!(none, []);
    assert_eq!(grants(&tale.on(Event::Returned(id, Urgency::Bulk))), [(control, id)]);
}

#[test]
fn a_session_is_opened_when_the_others_are_full_and_one_at_a_time() {
    let rules = Rules { max_sessions: 3, channels: 2, ..Rules::default() };
    let (mut tale, _) = Tale::opened(rules);
    tale.pass(seconds(1));
    let effects: Vec<Effect> = (0..9).flat_map(|_| tale.ask(Urgency::Work).1).collect();
    assert_eq!((grants(&effects).len(), opens(&effects)), (2, vec![SessionId(2)]));
    assert_eq!(opens(&tale.pass(seconds(10))), []);
    let effects = tale.on(Event::Opened(SessionId(2)));
    assert_eq!((grants(&effects).len(), opens(&effects)), (2, vec![SessionId(3)]));
    let effects = tale.on(Event::Opened(SessionId(3)));
    assert_eq!((grants(&effects).len(), opens(&effects)), (2, vec![]));
    assert_eq!(tale.pass(seconds(100)), [], "three are three");
    assert_eq!(report(&tale).waiting.work, 3);
}

#[test]
fn two_tries_are_never_closer_than_two_tenths_of_a_second() {
    let rules = Rules { max_sessions: 2, channels: 1, burst: 9, ..Rules::default() };
    let mut tale = Tale::new(rules);
    assert_eq!(opens(&tale.ask(Urgency::Work).1).len(), 1);
    tale.ask(Urgency::Work);
    assert_eq!(opens(&tale.on(Event::Opened(SessionId(1)))), []);
    assert_eq!(tale.policy.next(tale.now), Some(tale.start + Duration::from_millis(200)));
    assert_eq!(opens(&tale.pass(Duration::from_millis(200))), [SessionId(2)]);
}

#[test]
fn the_least_busy_session_is_first_and_bulk_keeps_to_itself() {
    let rules = Rules { channels: 4, ..Rules::default() };
    let (mut tale, first) = Tale::opened(rules);
    tale.pass(seconds(60));
    tale.ask(Urgency::Work);
    let (_, effects) = tale.ask(Urgency::Bulk);
    let second = SessionId(2);
    // It is lent at once, and company is opened for those who come.
    assert_eq!((grants(&effects)[0].1, opens(&effects)), (first, vec![second]));
    tale.on(Event::Opened(second));
    let (_, work) = tale.ask(Urgency::Work);
    let (_, bulk) = tale.ask(Urgency::Bulk);
    assert_eq!([grants(&work)[0].1, grants(&bulk)[0].1], [second, first]);
    tale.on(Event::Returned(first, Urgency::Work));
    let where_to = |tale: &mut Tale, urgency| grants(&tale.ask(urgency).1)[0].1;
    assert_eq!(where_to(&mut tale, Urgency::Bulk), first);
    assert_eq!(where_to(&mut tale, Urgency::Bulk), first);
    assert_eq!(where_to(&mut tale, Urgency::Control), second);
}

#[test]
fn a_refused_channel_lowers_the_limit_and_its_holder_is_next() {
    let (mut tale, id) = Tale::opened(Rules { max_sessions: 1, ..Rules::default() });
    (0..5).for_each(|_| drop(tale.ask(Urgency::Work)));
    let (late, _) = (0..4).map(|_| tale.ask(Urgency::Work)).last().expect("four");
    // Eight were lent; the host takes only seven.
    let again = Ticket(99);
    assert_eq!(tale.on(Event::Refused(id, again, Urgency::Work.into())), []);
    assert_eq!(report(&tale).sessions[0].limit, 7);
    // Six for work, and one for control.
    assert_eq!(tale.on(Event::Returned(id, Urgency::Work)), []);
    assert_eq!(grants(&tale.on(Event::Returned(id, Urgency::Work))), [(again, id)]);
    assert_eq!(grants(&tale.on(Event::Returned(id, Urgency::Work))), [(late, id)]);
    // It rises again, slowly, when somebody waits.
    (0..3).for_each(|_| drop(tale.ask(Urgency::Work)));
    let effects = tale.pass(seconds(601));
    assert_eq!((grants(&effects).len(), report(&tale).sessions[0].limit), (1, 8));
}

#[test]
fn a_session_that_takes_not_a_single_channel_is_given_up() {
    let (mut tale, id) = Tale::opened(Rules::default());
    for round in 0..3 {
        let (ticket, effects) = tale.ask(Urgency::Work);
        let granted = if effects.is_empty() { tale.pass(seconds(1)) } else { effects };
        assert!(granted.contains(&Effect::Grant(ticket, id, Urgency::Work.into())), "{round}: {granted:?}");
        let effects = tale.on(Event::Refused(id, Ticket(100 + round), Urgency::Work.into()));
        assert_eq!(grants(&effects), [], "it rests");
        tale.policy.queue.pop();
    }
    assert_eq!(health(&tale), Health::Down);
    assert_eq!(report(&tale).why.as_deref(), Some("refused: a session took not a single channel"));
}

#[test]
fn while_a_host_is_down_the_answer_comes_at_once_and_says_when_it_is_tried() {
    let mut tale = Tale::new(Rules::default());
    let (first, _) = tale.ask(Urgency::Work);
    let effects = tale.on(Event::Ended(SessionId(1), unreachable()));
    let [Effect::Fail(ticket, TransportError::Unreachable { .. })] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!(*ticket, first);
    assert_eq!(opens(&tale.pass(seconds(1))), [SessionId(2)], "somebody has asked");
    tale.on(Event::Ended(SessionId(2), unreachable()));
    assert_eq!(tale.pass(seconds(199)), []);
    let (_, effects) = tale.ask(Urgency::Work);
    assert_eq!(opens(&effects), [SessionId(3)], "what is known is old, so it is tried");
    let effects = tale.on(Event::Ended(SessionId(3), unreachable()));
    assert_eq!(effects.len(), 1);
    let (_, effects) = tale.ask(Urgency::Control);
    let [Effect::Fail(_, why)] = effects.as_slice() else { panic!("{effects:?}") };
    let said = why.to_string();
    assert!(said.contains("connection refused; down for 3 min 20 s, next try in 1 s"), "{said}");
    assert_eq!(health(&tale), Health::Down);
    assert_eq!(report(&tale).next_try, Some(WallTime(201_000)));
}

#[test]
fn ten_hours_of_outage_are_one_try_at_a_time_and_ever_rarer() {
    let mut tale = Tale::new(Rules::default());
    tale.ask(Urgency::Work);
    let mut tries = vec![tale.now];
    let mut id = SessionId(1);
    tale.on(Event::Ended(id, unreachable()));
    (0..10_000).for_each(|n| assert_eq!(tale.on(Event::WhenUp(Ticket(1000 + n))), []));
    while tale.now < tale.start + seconds(36_000) {
        let next = tale.policy.next(tale.now).expect("somebody waits, so it is tried");
        let effects = tale.pass(next - tale.now);
        id = SessionId(id.0 + 1);
        assert_eq!(effects, [Effect::Open(id)]);
        tries.push(tale.now);
        assert_eq!(tale.pass(seconds(3)), [], "one try at a time");
        assert_eq!(tale.on(Event::Ended(id, unreachable())), []);
    }
    let gaps: Vec<Duration> = tries.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(gaps[9..].iter().all(|gap| *gap >= seconds(128) && *gap <= seconds(303)), "{gaps:?}");
    assert!(tries.len() < 10 + 36_000 / 150, "{} tries", tries.len());
    let next = tale.policy.next(tale.now).expect("somebody waits");
    tale.pass(next - tale.now);
    let effects = tale.on(Event::Opened(SessionId(id.0 + 1)));
    let up = effects.iter().filter(|effect| matches!(effect, Effect::Up(_))).count();
    assert_eq!((up, health(&tale)), (10_000, Health::Up));
}

#[test]
fn a_host_that_nobody_asks_for_is_left_alone() {
    let mut tale = Tale::new(Rules::default());
    tale.ask(Urgency::Work);
    tale.on(Event::Ended(SessionId(1), unreachable()));
    assert_eq!(tale.policy.next(tale.now), Some(tale.now + Duration::from_millis(250)), "somebody has asked");
    assert_eq!(opens(&tale.pass(seconds(1))), [SessionId(2)]);
    tale.on(Event::Ended(SessionId(2), unreachable()));
    assert_eq!(tale.policy.next(tale.now), None);
}

#[test]
fn credentials_that_are_refused_are_not_tried_again_until_somebody_says_so() {
    let mut tale = Tale::new(Rules::default());
    tale.ask(Urgency::Work);
    tale.on(Event::WhenUp(Ticket(50)));
    let effects = tale.on(Event::Ended(SessionId(1), denied()));
    assert_eq!(effects, [Effect::Fail(Ticket(1), denied())]);
    assert_eq!(tale.on(Event::WhenUp(Ticket(51))), []);
    assert_eq!(tale.ask(Urgency::Control).1, [Effect::Fail(Ticket(2), denied())]);
    assert_eq!(tale.pass(seconds(100_000)), []);
    assert_eq!(health(&tale), Health::NeedsAuth);
    assert_eq!(tale.on(Event::Retry), [Effect::Open(SessionId(2))]);
    assert_eq!(tale.on(Event::Opened(SessionId(2))), [Effect::Up(Ticket(51))]);
    assert_eq!(health(&tale), Health::Up);
}

#[test]
fn a_host_key_is_for_people_too() {
    let (host, why) = ("host".to_owned(), "ed25519 SHA256:x".to_owned());
    for key in [
        TransportError::HostKeyUnknown { host: host.clone(), why: why.clone() },
        TransportError::HostKeyChanged { host, why },
    ] {
        let mut tale = Tale::new(Rules::default());
        tale.ask(Urgency::Work);
        assert_eq!(tale.on(Event::Ended(SessionId(1), key.clone())), [Effect::Fail(Ticket(1), key)]);
        assert_eq!((tale.pass(seconds(100_000)), health(&tale)), (vec![], Health::NeedsAuth));
    }
}

#[test]
fn an_old_session_goes_when_a_young_one_is_there() {
    let rules = Rules { age: seconds(1000), idle: seconds(100_000), ..Rules::default() };
    let (mut tale, old) = Tale::opened(rules);
    tale.ask(Urgency::Work);
    let effects = tale.pass(seconds(1000));
    assert_eq!(effects, [Effect::Open(SessionId(2))]);
    // Until then it works on.
    let (ticket, effects) = tale.ask(Urgency::Work);
    assert_eq!(grants(&effects), [(ticket, old)]);
    assert_eq!(tale.on(Event::Opened(SessionId(2))), []);
    assert_eq!(grants(&tale.ask(Urgency::Work).1)[0].1, SessionId(2));
    tale.on(Event::Returned(old, Urgency::Work));
    assert_eq!(tale.on(Event::Returned(old, Urgency::Work)), [Effect::Close(old)]);
}

#[test]
fn an_old_session_that_is_alone_in_its_room_goes_first() {
    let rules = Rules { age: seconds(1000), max_sessions: 1, ..Rules::default() };
    let (mut tale, old) = Tale::opened(rules);
    tale.ask(Urgency::Work);
    assert_eq!(tale.pass(seconds(1000)), []);
    let (ticket, effects) = tale.ask(Urgency::Work);
    assert_eq!(effects, [], "it gets no new work");
    let effects = tale.on(Event::Returned(old, Urgency::Work));
    assert_eq!(effects, [Effect::Close(old), Effect::Open(SessionId(2))]);
    assert_eq!(grants(&tale.on(Event::Opened(SessionId(2)))), [(ticket, SessionId(2))]);
}

#[test]
fn an_old_session_works_on_while_no_young_one_can_be_had() {
    let rules = Rules { age: seconds(1000), idle: seconds(100_000), ..Rules::default() };
    let (mut tale, old) = Tale::opened(rules);
    tale.ask(Urgency::Work);
    tale.pass(seconds(1000));
    tale.on(Event::Ended(SessionId(2), unreachable()));
    assert_eq!(health(&tale), Health::Degraded);
    let (ticket, effects) = tale.ask(Urgency::Work);
    assert_eq!(grants(&effects), [(ticket, old)]);
}

#[test]
fn a_worn_session_drains_and_closes() {
    let (mut tale, worn) = Tale::opened(Rules::default());
    tale.ask(Urgency::Bulk);
    tale.pass(seconds(1));
    assert_eq!(tale.on(Event::Worn(worn)), []);
    assert_eq!(opens(&tale.ask(Urgency::Work).1), [SessionId(2)]);
    assert_eq!(tale.on(Event::Returned(worn, Urgency::Bulk)), [Effect::Close(worn)]);
}

#[test]
fn an_idle_session_is_closed_and_then_nothing_is_under_way() {
    let rules = Rules { idle: seconds(60), ..Rules::default() };
    let (mut tale, id) = Tale::opened(rules);
    assert_eq!(tale.pass(seconds(60)), [Effect::Close(id)]);
    assert_eq!((tale.policy.next(tale.now), health(&tale)), (None, Health::Up));
}

#[test]
fn what_shall_never_end_does_not() {
    let max = Duration::MAX;
    let never = Rules { idle: max, age: max, refill: max, open_within: max, burst: 2, ..Rules::default() };
    let (mut tale, id) = Tale::opened(never);
    assert_eq!(tale.pass(seconds(3600 * 24 * 365)), []);
    assert_eq!(grants(&tale.ask(Urgency::Work).1)[0].1, id);
    let none = Rules { max_sessions: 0, channels: 0, burst: 0, hourly: 0, ..Rules::default() };
    assert_eq!(grants(&Tale::opened(none).0.ask(Urgency::Work).1).len(), 1);
}

#[test]
fn a_session_that_breaks_at_once_counts_as_a_failure_and_one_that_lasted_does_not() {
    let (mut tale, id) = Tale::opened(Rules::default());
    tale.pass(seconds(29));
    tale.on(Event::Ended(id, unreachable()));
    assert_eq!(health(&tale), Health::Down);
    let (mut tale, id) = Tale::opened(Rules::default());
    tale.pass(seconds(31));
    tale.on(Event::Ended(id, unreachable()));
    assert_eq!(health(&tale), Health::Up);
    assert_eq!(opens(&tale.ask(Urgency::Work).1), [SessionId(2)]);
}

#[test]
fn when_the_hour_is_used_up_nobody_waits_in_the_queue() {
    let rules = Rules { hourly: 1, idle: seconds(60), ..Rules::default() };
    let (mut tale, _) = Tale::opened(rules);
    tale.pass(seconds(60));
    let (ticket, effects) = tale.ask(Urgency::Work);
    let [Effect::Fail(failed, why)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(*failed, ticket);
    assert!(why.to_string().contains("1 times an hour; next try in 59 min 0 s"), "{why}");
    assert_eq!((tale.on(Event::WhenUp(Ticket(70))), health(&tale)), (vec![], Health::Down));
    assert_eq!(tale.pass(seconds(3539)), []);
    assert_eq!(tale.pass(seconds(1)), [Effect::Open(SessionId(2))]);
    assert_eq!(tale.on(Event::Opened(SessionId(2))), [Effect::Up(Ticket(70))]);
}

#[test]
fn a_budget_that_says_later_is_asked_again_and_costs_nothing() {
    let mut tale = Tale::new(Rules { hourly: 1, ..Rules::default() });
    let (ticket, _) = tale.ask(Urgency::Work);
    let mut id = SessionId(1);
    for _ in 0..20 {
        assert_eq!(tale.on(Event::Held(id, seconds(5), "others have them all".into())), []);
        assert_eq!(report(&tale).why.as_deref(), Some("others have them all"));
        id = SessionId(id.0 + 1);
        assert_eq!(tale.pass(seconds(5)), [Effect::Open(id)]);
    }
    assert_eq!(grants(&tale.on(Event::Opened(id))), [(ticket, id)]);
    // A long wait is not waited for.
    let mut tale = Tale::new(Rules::default());
    tale.ask(Urgency::Work);
    let effects = tale.on(Event::Held(SessionId(1), seconds(1800), "the hour is used up".into()));
    let [Effect::Fail(_, why)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(why.to_string().contains("the hour is used up; next try in 30 min 0 s"), "{why}");
}

#[test]
fn a_try_that_never_ends_is_given_up() {
    let mut tale = Tale::new(Rules::default());
    let (ticket, _) = tale.ask(Urgency::Work);
    let effects = tale.pass(seconds(180));
    assert!(matches!(effects.as_slice(), [Effect::Fail(failed, _)] if *failed == ticket), "{effects:?}");
    // It comes after all: nobody knows it any more.
    assert_eq!(tale.on(Event::Opened(SessionId(1))), [Effect::Close(SessionId(1))]);
    assert_eq!(tale.on(Event::Ended(SessionId(1), unreachable())), []);
}

#[test]
fn too_many_are_refused() {
    let mut tale = Tale::new(Rules { most_waiting: 2, ..Rules::default() });
    (0..2).for_each(|_| drop(tale.ask(Urgency::Work)));
    let (ticket, effects) = tale.ask(Urgency::Control);
    assert!(
        matches!(effects.as_slice(), [Effect::Fail(failed, TransportError::Refused(_))] if *failed == ticket)
    );
}

#[test]
fn a_pool_that_is_closed_ends() {
    let (mut tale, id) = Tale::opened(Rules::default());
    tale.ask(Urgency::Work);
    assert_eq!(tale.on(Event::Close), []);
    let (_, effects) = tale.ask(Urgency::Control);
    assert!(matches!(effects.as_slice(), [Effect::Fail(_, TransportError::Unreachable { .. })]));
    assert_eq!(tale.on(Event::WhenUp(Ticket(60))), [Effect::Forget(Ticket(60))]);
    assert_eq!(tale.on(Event::Returned(id, Urgency::Work)), [Effect::Close(id)]);
    assert_eq!(tale.on(Event::Retry), []);
    assert_eq!(tale.policy.next(tale.now), None);
}
