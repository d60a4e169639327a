//! What becomes of notices, for each answer that a destination can give.

use std::time::Duration;

use bus::Delivery;
use schemas::dead_letter::Reason;
use schemas::topics::Topic;
use schemas::wire::Alert;

use super::{FAILURES_ALONE_MAX, Moment, Settled, settle};
use crate::contract::Notice;
use crate::destination::{Answer, Outcome, Reply, Retry};
use crate::pace::{Pace, RETRY_AFTER_MAX};
use crate::window::{Room, Window};

const HOUR_US: i64 = 3_600_000_000;

fn window(notices: i64) -> Window {
    let mut window = Window::new(Room {
        notices_max: 100,
        bytes_max: 1_000_000,
    });
    for offset in 0..notices {
        let read = Delivery {
            topic: Topic::Alerts,
            partition: 0,
            offset,
            key: String::new(),
            payload: vec![0; 10],
            published_us: 1,
        };
        let alert = Alert {
            alert_id: offset.to_string(),
            tenant_id: "t".to_owned(),
            ..Alert::default()
        };
        window.hold(&read, Notice::of_alert(&alert));
    }
    window
}

fn answered(window: &mut Window, pace: &mut Pace, answer: Answer, now_us: i64) -> Settled {
    let batch = window.batch(100, 1_000_000);
    let reply = Reply {
        answer,
        said: String::new(),
    };
    let at = Moment {
        now_us,
        chance: 0.0,
        notices_max: 100,
    };
    settle(&batch, &reply, window, pace, at)
}

fn pace() -> Pace {
    Pace::new(Duration::from_secs(1))
}

fn refused() -> Outcome {
    Outcome::Refused {
        why: "no such index".to_owned(),
    }
}

fn retry() -> Outcome {
    Outcome::Retry(Retry::because("busy"))
}

#[test]
fn each_notice_has_its_own_fate() {
    let (mut window, mut pace) = (window(4), pace());
    let outcomes = vec![Outcome::Delivered, refused(), retry(), Outcome::NotTried];
    let settled = answered(&mut window, &mut pace, Answer::Each(outcomes), 0);
    assert_eq!(settled.delivered, [0]);
    let [(key, letter)] = &settled.set_aside[..] else {
        panic!("one is set aside: {settled:?}");
    };
    assert_eq!((*key, letter.reason), (1, Reason::Refused));
    assert_eq!(
        (letter.place.offset, letter.why.as_str()),
        (1, "no such index")
    );
    let notice: Notice = serde_json::from_slice(&letter.bytes).expect("the whole notice");
    assert_eq!(notice.id, "1");
    let again = settled.again.expect("one is tried again");
    assert_eq!(
        (again.why.as_str(), again.wait),
        ("busy", Duration::from_secs(1))
    );
    assert_eq!(pace.failures(), 0, "it takes others");
}

#[test]
fn an_answer_about_too_few_notices_delivers_no_more_than_it_says() {
    let (mut window, mut pace) = (window(3), pace());
    let settled = answered(
        &mut window,
        &mut pace,
        Answer::Each(vec![Outcome::Delivered]),
        0,
    );
    assert_eq!(settled.delivered, [0]);
    assert!(settled.again.is_none());
    let none = answered(&mut window, &mut pace, Answer::Each(Vec::new()), 0);
    assert!(none.again.is_some(), "it does not spin");
}

#[test]
fn one_that_is_not_taken_while_others_are_is_set_aside_after_a_while_and_not_before() {
    let (mut window, mut pace) = (window(2), pace());
    let outcomes = || Answer::Each(vec![retry(), Outcome::Delivered]);
    let long = i64::from(FAILURES_ALONE_MAX);
    for round in 1..long {
        let settled = answered(&mut window, &mut pace, outcomes(), round * HOUR_US);
        assert!(settled.set_aside.is_empty(), "round {round}");
    }
    let settled = answered(&mut window, &mut pace, outcomes(), long * HOUR_US);
    assert_eq!(settled.set_aside[0].1.reason, Reason::KeptFailing);
    assert!(settled.again.is_none());
}

#[test]
fn ten_failures_in_a_minute_set_nothing_aside() {
    let (mut window, mut pace) = (window(2), pace());
    for round in 0..50 {
        let answer = Answer::Each(vec![retry(), Outcome::Delivered]);
        let settled = answered(&mut window, &mut pace, answer, round * 1_000_000);
        assert!(settled.set_aside.is_empty());
    }
}

#[test]
fn an_outage_sets_nothing_aside_however_long() {
    let (mut window, mut pace) = (window(3), pace());
    for round in 0..1_000 {
        let answer = if round % 2 == 0 {
            Answer::Later(Retry::because("nobody listens"))
        } else {
            Answer::Each(vec![retry(), retry(), Outcome::NotTried])
        };
        let settled = answered(&mut window, &mut pace, answer, round * HOUR_US);
        assert!(settled.set_aside.is_empty() && settled.delivered.is_empty());
    }
    assert!(pace.is_open());
}

#[test]
fn what_is_too_large_is_halved_and_alone_it_is_set_aside() {
    let (mut window, mut pace) = (window(4), pace());
    let large = || Answer::TooLarge {
        why: "413".to_owned(),
    };
    let settled = answered(&mut window, &mut pace, large(), 0);
    assert!(settled.set_aside.is_empty() && settled.again.is_none());
    assert_eq!(pace.notices_max(100), 2);
    let batch = window.batch(1, 1_000);
    let reply = Reply {
        answer: large(),
        said: String::new(),
    };
    let at = Moment {
        now_us: 0,
        chance: 0.0,
        notices_max: 100,
    };
    let settled = settle(&batch, &reply, &mut window, &mut pace, at);
    assert_eq!(settled.set_aside[0].1.reason, Reason::TooLarge);
}

#[test]
fn an_absurd_wait_is_capped_and_told() {
    let (mut window, mut pace) = (window(1), pace());
    let century = Duration::from_hours(876_000);
    let answer = Answer::Later(Retry {
        after: Some(century),
        why: "429".to_owned(),
    });
    let again = answered(&mut window, &mut pace, answer, 0).again;
    let again = again.expect("it is tried again");
    assert_eq!((again.wait, again.capped), (RETRY_AFTER_MAX, Some(century)));
}
