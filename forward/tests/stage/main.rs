//! The stage on both kinds of bus, with real destinations: what arrives, what is said, what is committed.
//!
//! Kafka is `VEDETTE_TEST_KAFKA` (brokers) if that is set, else `deploy/kafka/kafka` starts one here.

#[path = "../../../bus/tests/contract/broker.rs"]
#[expect(dead_code, reason = "other tests kill their broker")]
mod broker;
mod delivery;
mod place;
mod replay;

use delivery::*;
use replay::*;

/// Makes a test of each question for each kind of bus.
macro_rules! ask_both {
    ($($question:ident),+ $(,)?) => {
        mod embedded_log {
            $(#[test]
            fn $question() {
                crate::place::run(super::$question(&crate::place::Place::log()));
            })+
        }
        mod kafka {
            $(#[test]
            fn $question() {
                crate::place::run(super::$question(&crate::place::Place::kafka()));
            })+
        }
    };
}

ask_both!(
    one_that_is_away_delays_no_other_and_gets_everything_when_it_is_back,
    what_a_new_destination_is_too_late_for_is_counted_and_not_sent,
    one_that_never_worked_gets_all_since_it_came_however_late_it_is_mended,
    the_place_of_one_that_is_configured_no_more_is_told_and_can_be_removed,
    routes_lead_to_some_and_not_to_others,
    what_cannot_be_read_is_set_aside_and_the_rest_arrives,
    killed_again_and_again_it_loses_nothing,
    what_was_there_since_is_sent_again_and_nobodys_place_moves,
    dead_letters_come_back_whole_and_only_ones_own,
    a_tap_shows_what_comes_from_now_on,
);
