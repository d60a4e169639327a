//! Journeys on an ordinary day: some people are abroad, and some fly there.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::plans::{Errand, Occasion};
use super::rates::{ErrandRate, RunBy, RunWhen};
use super::sign_ins::{sign_in_anew, sign_in_from};
use super::workday::Workday;
use crate::world::moment::MINUTE_US;
use crate::world::places::{FAR_DESTINATIONS, GeoLocation, NEAR_DESTINATIONS, Origin, PHONE};

/// One person in a hundred is abroad, and one in three hundred sets out; who is far away did not fly today.
pub(super) const RATES: &[ErrandRate] = &[
    ErrandRate {
        errand: Errand::BeAway,
        by: RunBy::Staff,
        when: RunWhen::BeforeWork,
        times: 100,
    },
    ErrandRate {
        errand: Errand::Fly,
        by: RunBy::Staff,
        when: RunWhen::InTheMorning,
        times: 30,
    },
];

/// From the last thing done at home to the first one there, with the ways to and from the airports.
const JOURNEY_MINUTES: std::ops::Range<i64> = 220..330;
/// From the airport to the hotel.
const TO_HOTEL_US: i64 = 45 * MINUTE_US;
/// Of so many people who are away, one is far away.
const FAR_OF: u32 = 5;
/// The steps of a journey.
const ARRIVED: u32 = 1;
const AT_HOTEL: u32 = 2;

/// An address of a place: `from` tells its kinds apart.
fn address(place: GeoLocation, from: u32, host: u32) -> String {
    // 198.19.0.0/16 is the half of the benchmarking range in which nobody of the tenant is at home (RFC 2544).
    let network = from + place.autonomous_system % 16;
    format!("198.19.{network}.{host}")
}

pub(super) fn travel(day: &mut Workday<'_>, occasion: Occasion, at_us: i64) {
    let mut dice = day.scene.chance.stream(&["journey", &occasion.name()]);
    let is_far = occasion.errand == Errand::BeAway && dice.random_ratio(1, FAR_OF);
    let places = if is_far {
        FAR_DESTINATIONS
    } else {
        NEAR_DESTINATIONS
    };
    let Some(place) = places.choose(&mut dice).copied() else {
        return;
    };
    let host = dice.random_range(10..250);
    let journey_us = dice.random_range(JOURNEY_MINUTES) * MINUTE_US;
    let person = &mut day.scene.users[occasion.person];
    let hotel = Origin {
        ip: address(place, 0, host),
        place,
        ..person.origin.clone()
    };
    match (occasion.errand, occasion.step) {
        (Errand::BeAway, _) => person.origin = hotel,
        (_, 0) => {
            person.in_flight_until_us = at_us + journey_us;
            day.plans.go_on(occasion, ARRIVED, at_us + journey_us);
        }
        (_, ARRIVED) => {
            let phone = Origin {
                ip: address(place, 32, host),
                place,
                device: PHONE,
                device_id: String::new(),
            };
            sign_in_from(day, occasion, &phone, at_us);
            day.scene.users[occasion.person].origin = hotel;
            // Until then the computer stays in its bag.
            day.scene.users[occasion.person].in_flight_until_us = at_us + TO_HOTEL_US;
            day.plans.go_on(occasion, AT_HOTEL, at_us + TO_HOTEL_US);
        }
        _ => sign_in_anew(day, occasion.person, &occasion.step_name(), at_us),
    }
}
