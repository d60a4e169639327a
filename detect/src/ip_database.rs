//! IP databases that a user has: MaxMind DB files of GeoLite2, DB-IP, IPinfo and others of that form.
//!
//! None comes with vedette, because none that is right may be passed on. Of several files the first that knows a thing
//! says it, so that one of cities and one of autonomous systems go together.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use maxminddb::{MaxMindDbError, Reader};
use schemas::small_file;
use serde::Deserialize;
use serde_json::Value;
use sigma::geo::{GeoLocation, GeoLocator};

/// Largest file that is read; the whole of it is held in memory.
const FILE_BYTES_MAX: u64 = 2 << 30;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IpDatabaseError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is too large to be held in memory.
    #[error("{} has more than {FILE_BYTES_MAX} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is no database of this form, or cut off.
    #[error("{} is no MaxMind DB file, or not whole: fetch it again", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        source: MaxMindDbError,
    },
}

/// Databases, in the order in which they are asked.
#[derive(Debug, Default)]
pub struct IpDatabases(Vec<Reader<Vec<u8>>>);

/// What a record of any of the known forms may say.
///
/// Source: MaxMind, "GeoLite2 City" and "ASN" (nested); IPinfo Lite and ip-location-db (flat).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Record {
    /// An object with `iso_code`, or flat: two letters, or a name beside `country_code`.
    country: Value,
    country_code: Value,
    location: Value,
    latitude: Value,
    longitude: Value,
    autonomous_system_number: Value,
    asn: Value,
}

impl IpDatabases {
    /// Reads another file, which is asked after those before.
    ///
    /// # Errors
    /// [`IpDatabaseError`] if it cannot be used.
    pub fn add(&mut self, path: &Path) -> Result<(), IpDatabaseError> {
        self.0.push(open(path)?);
        Ok(())
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn open(path: &Path) -> Result<Reader<Vec<u8>>, IpDatabaseError> {
    let path = path.to_path_buf();
    let unreadable = |source| IpDatabaseError::Read {
        path: path.clone(),
        source,
    };
    let bytes = small_file::read(&path, FILE_BYTES_MAX)
        .map_err(unreadable)?
        .bytes;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(IpDatabaseError::TooLarge { path });
    }
    Reader::from_source(bytes).map_err(|source| IpDatabaseError::Format { path, source })
}

impl GeoLocator for IpDatabases {
    fn place(&self, address: IpAddr) -> GeoLocation {
        let mut place = GeoLocation::default();
        for reader in &self.0 {
            // A database of IPv4 knows nothing of IPv6; a broken branch of one knows nothing either.
            let found = reader.lookup(address).and_then(|found| found.decode());
            match found {
                Ok(Some(record)) => add(&mut place, &record),
                Ok(None) | Err(MaxMindDbError::InvalidInput { .. }) => {}
                Err(_) => metrics::counter!("detect_ip_database_errors_total").increment(1),
            }
        }
        place
    }
}

fn add(place: &mut GeoLocation, record: &Record) {
    let country = [
        &record.country["iso_code"],
        &record.country_code,
        &record.country,
    ];
    place.country = place.country.take().or_else(|| {
        let mut codes = country.into_iter().filter_map(Value::as_str);
        codes
            .find(|code| code.len() == 2)
            .map(str::to_ascii_uppercase)
    });
    place.coordinates = place.coordinates.or_else(|| {
        let nested = (&record.location["latitude"], &record.location["longitude"]);
        let flat = (&record.latitude, &record.longitude);
        [nested, flat]
            .into_iter()
            .find_map(|(latitude, longitude)| {
                Some((degrees(latitude, 90.0)?, degrees(longitude, 180.0)?))
            })
    });
    place.autonomous_system = place.autonomous_system.or_else(|| {
        [&record.autonomous_system_number, &record.asn]
            .into_iter()
            .find_map(number)
    });
}

/// Degrees, as a number or as text.
fn degrees(value: &Value, most: f64) -> Option<f64> {
    let degrees = match value {
        Value::String(text) => text.trim().parse().ok()?,
        other => other.as_f64()?,
    };
    (degrees.abs() <= most).then_some(degrees)
}

/// The number of an autonomous system, also as `AS64500`.
fn number(value: &Value) -> Option<u32> {
    match value {
        Value::String(text) => text.trim().trim_start_matches(['A', 'S']).parse().ok(),
        other => other.as_u64()?.try_into().ok(),
    }
}
