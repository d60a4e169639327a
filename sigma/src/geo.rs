//! Where addresses are, as far as somebody knows: for records that do not say it themselves.
//!
//! Asked when a match becomes a signal, so that what correlations compare is kept with it. Where nobody knows, a
//! signal has no place: it is neither far from another nor new.

use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::Arc;

/// What is known of an address.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GeoLocation {
    /// Country, two letters.
    pub country: Option<String>,
    /// Latitude and longitude, in degrees.
    pub coordinates: Option<(f64, f64)>,
    /// Number of the autonomous system that announces it.
    pub autonomous_system: Option<u32>,
}

/// Who knows where addresses are.
pub trait GeoLocator: Debug + Send + Sync {
    /// What is known of an address; nothing of those that are nowhere, such as private ones.
    fn place(&self, address: IpAddr) -> GeoLocation;
}

/// What a rule asks of the address of its matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The field that has it.
    pub field: Arc<str>,
    /// What its place is wanted for.
    pub gives: Gives,
    /// Autonomous systems through which people leave who are elsewhere: what comes from there has no place.
    pub not_through: Vec<u32>,
}

/// The fields that get what is known of the address, where the record leaves them empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gives {
    /// Latitude and longitude.
    Coordinates([Arc<str>; 2]),
    /// The country.
    Country(Arc<str>),
}

impl Gives {
    fn names(&self) -> &[Arc<str>] {
        match self {
            Self::Coordinates(names) => names,
            Self::Country(name) => std::slice::from_ref(name),
        }
    }
}

/// Names and values of a signal.
type Values = Vec<(Arc<str>, Arc<str>)>;

impl Address {
    /// Adds to `values` what is known of the address and the record does not say; takes out a place that is none.
    ///
    /// False if the place is not known then either, or nobody is there to ask.
    pub fn complete(&self, values: &mut Values, places: Option<&dyn GeoLocator>) -> bool {
        if let Some(places) = places {
            self.ask(values, places);
        }
        self.is_told(values)
    }

    fn ask(&self, values: &mut Values, places: &dyn GeoLocator) {
        // Nothing that could be found would change what the record says.
        if self.not_through.is_empty() && self.is_told(values) {
            return;
        }
        let Some(address) = value(values, &self.field).and_then(|text| text.parse().ok()) else {
            return;
        };
        // An IPv4 address that is written as one of IPv6 is the same address.
        let place = places.place(IpAddr::to_canonical(&address));
        let is_elsewhere = place
            .autonomous_system
            .is_some_and(|number| self.not_through.contains(&number));
        if !is_elsewhere && self.is_told(values) {
            return;
        }
        let names = self.gives.names();
        values.retain(|(name, _)| !names.contains(name));
        if is_elsewhere {
            return;
        }
        match (&self.gives, place) {
            (
                Gives::Country(name),
                GeoLocation {
                    country: Some(country),
                    ..
                },
            ) => {
                values.push((Arc::clone(name), country.into()));
            }
            (
                Gives::Coordinates([latitude, longitude]),
                GeoLocation {
                    coordinates: Some(at),
                    ..
                },
            ) => {
                values.push((Arc::clone(latitude), at.0.to_string().into()));
                values.push((Arc::clone(longitude), at.1.to_string().into()));
            }
            _ => {}
        }
    }

    /// Whether the record says it; zero degrees twice are written where nothing is known.
    fn is_told(&self, values: &Values) -> bool {
        match &self.gives {
            Gives::Country(name) => value(values, name).is_some_and(|text| !text.trim().is_empty()),
            Gives::Coordinates(names) => {
                let degrees = names.each_ref().map(|name| {
                    value(values, name).and_then(|text| text.trim().parse::<f64>().ok())
                });
                matches!(degrees, [Some(latitude), Some(longitude)] if latitude != 0.0 || longitude != 0.0)
            }
        }
    }
}

fn value<'a>(values: &'a Values, name: &str) -> Option<&'a str> {
    let mut all = values.iter();
    all.find(|(known, _)| **known == *name)
        .map(|(_, value)| &**value)
}

#[cfg(test)]
mod tests {
    use super::{Address, GeoLocation, GeoLocator, Gives, Values};
    use std::net::IpAddr;

    #[derive(Debug)]
    struct Known;

    impl GeoLocator for Known {
        fn place(&self, address: IpAddr) -> GeoLocation {
            match address.to_string().as_str() {
                "203.0.113.7" => GeoLocation {
                    country: Some("NL".to_owned()),
                    coordinates: Some((52.37, 4.89)),
                    autonomous_system: Some(64_500),
                },
                "192.0.2.7" => GeoLocation {
                    country: Some("US".to_owned()),
                    coordinates: Some((47.6, -122.3)),
                    autonomous_system: Some(8_075),
                },
                _ => GeoLocation::default(),
            }
        }
    }

    fn values(pairs: &[(&str, &str)]) -> Values {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect()
    }

    #[track_caller]
    fn check(gives: &Gives, before: &[(&str, &str)], after: &[(&str, &str)]) {
        let address = Address {
            field: "ip".into(),
            gives: gives.clone(),
            not_through: vec![8_075],
        };
        let mut found = values(before);
        let is_told = address.complete(&mut found, Some(&Known));
        assert_eq!(is_told, address.is_told(&found));
        assert_eq!(found, values(after), "{before:?}");
    }

    #[test]
    fn what_the_record_does_not_say_is_looked_up() {
        let country = Gives::Country("country".into());
        let known = [("ip", "203.0.113.7"), ("country", "NL")];
        check(&country, &[("ip", "203.0.113.7")], &known);
        check(
            &country,
            &[("ip", "::ffff:203.0.113.7")],
            &[("ip", "::ffff:203.0.113.7"), ("country", "NL")],
        );
        // The record knows better.
        let told = [("ip", "203.0.113.7"), ("country", "BE")];
        check(&country, &told, &told);
        // Nobody knows, there is no address, or what stands there is none.
        for silent in [
            &[("ip", "198.51.100.7")][..],
            &[],
            &[("ip", "x")],
            &[("ip", "10.0.0.0/8")],
        ] {
            check(&country, silent, silent);
        }
    }

    #[test]
    fn zero_degrees_are_no_place_and_a_shared_way_out_has_none() {
        let coordinates = Gives::Coordinates(["a".into(), "o".into()]);
        let known = [("ip", "203.0.113.7"), ("a", "52.37"), ("o", "4.89")];
        check(&coordinates, &[("ip", "203.0.113.7")], &known);
        check(
            &coordinates,
            &[("ip", "203.0.113.7"), ("a", "0"), ("o", "0.0")],
            &known,
        );
        check(&coordinates, &[("ip", "203.0.113.7"), ("a", "51")], &known);
        let told = [("ip", "203.0.113.7"), ("a", "0"), ("o", "4.5")];
        check(&coordinates, &told, &told);
        // Microsoft's network, whatever the record says.
        check(
            &coordinates,
            &[("ip", "192.0.2.7"), ("a", "1"), ("o", "2")],
            &[("ip", "192.0.2.7")],
        );
        check(&coordinates, &[("ip", "192.0.2.7")], &[("ip", "192.0.2.7")]);
    }
}
