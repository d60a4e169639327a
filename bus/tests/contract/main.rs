//! The contract of the bus, asked of both of its kinds: every question runs on the embedded log and on a real
//! Apache Kafka; what only one kind can be asked follows in a file of its own.
//!
//! Kafka is `VEDETTE_TEST_KAFKA` (brokers) if that is set, else `deploy/kafka/kafka` starts one here.

mod broker;
mod browse;
mod injected;
mod lease;
mod on_kafka;
mod place;
mod questions;
mod replaced;

use browse::shows_everything_to_one_who_only_looks;
use questions::*;
use replaced::{knows_a_log_by_the_message_before_a_position, says_where_it_put_what_it_took};

/// Makes a test of each question for each kind of bus.
macro_rules! ask_both {
    ($($question:ident),+ $(,)?) => {
        mod embedded_log {
            $(#[test]
            fn $question() {
                crate::place::ask(&crate::place::Place::log(), super::$question);
            })+
        }
        mod kafka {
            $(#[test]
            fn $question() {
                crate::place::ask(&crate::place::Place::kafka(), super::$question);
            })+
        }
    };
}

ask_both!(
    keeps_the_order_within_a_key,
    resumes_where_the_group_committed,
    delivers_the_uncommitted_again,
    gives_each_group_everything,
    reads_on_from_where_it_is_told,
    refuses_positions_of_others,
    tells_ends_and_commits,
    carries_the_largest_message_and_refuses_a_larger,
    carries_empty_payloads_and_strange_keys,
    reports_partitions_before_their_records,
    brings_no_more_than_asked,
    loses_nothing_when_next_is_cancelled,
    wakes_a_waiting_reader,
    takes_many_publishers_at_once,
    keeps_what_a_killed_publisher_was_told,
    carries_wire_types,
    knows_a_log_by_the_message_before_a_position,
    says_where_it_put_what_it_took,
    shows_everything_to_one_who_only_looks,
);
