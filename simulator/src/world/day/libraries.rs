//! Many files at once on an ordinary day: a new computer, a folder for the train, a library tidied up.

use rand::Rng;
use serde_json::json;

use super::plans::{Errand, Occasion};
use super::rates::{ErrandRate, RunBy, at_work};
use super::sign_ins::sign_in_anew;
use super::workday::Workday;
use crate::world::moment::{MINUTE_US, SECOND_US};
use crate::world::places::SYNC_CLIENT;
use crate::world::records::files::{Library, LibraryOperation};

/// Computers are exchanged after three or four years; tidying up is for quiet days.
pub(super) const RATES: &[ErrandRate] = &[
    at_work(Errand::SetUpComputer, RunBy::Staff, 13),
    at_work(Errand::DownloadFolder, RunBy::Staff, 20),
    at_work(Errand::TidyUp, RunBy::Staff, 60),
];

/// What is done with many files at once.
struct Handling {
    operation: &'static str,
    /// Fewest and most files.
    files: (u32, u32),
    /// Longest time from one file to the next.
    every_us: i64,
    library: Library,
}

const fn handling(errand: Errand) -> Handling {
    match errand {
        Errand::SetUpComputer => Handling {
            operation: "FileSyncDownloadedFull",
            files: (30, 400),
            every_us: 3 * SECOND_US,
            library: Library::Own,
        },
        Errand::DownloadFolder => Handling {
            operation: "FileDownloaded",
            files: (8, 90),
            every_us: 4 * SECOND_US,
            library: Library::Department,
        },
        _ => Handling {
            operation: "FileDeleted",
            files: (15, 90),
            every_us: 12 * SECOND_US,
            library: Library::Own,
        },
    }
}

/// The first step decides how many files there are, and each further one is a file.
pub(super) fn handle_many_files(day: &mut Workday<'_>, occasion: Occasion, at_us: i64) {
    let name = occasion.name();
    let handling = handling(occasion.errand);
    if occasion.step > 0 {
        handle_one_of_many(day, occasion, &handling, at_us);
        return;
    }
    let mut begins_us = at_us;
    if occasion.errand == Errand::SetUpComputer {
        day.scene.users[occasion.person].origin.device_id =
            day.scene.chance.uuid(&["computer", &name]);
        sign_in_anew(day, occasion.person, &occasion.step_name(), at_us);
        begins_us += 2 * MINUTE_US;
    }
    let mut dice = day.scene.chance.stream(&["many files", &name]);
    let (fewest, most) = handling.files;
    // Small ones are more frequent: the product of two shares.
    let share =
        u64::from(dice.random_range(0..=1_000_u32)) * u64::from(dice.random_range(0..=1_000_u32));
    let more = u64::from(most - fewest) * share / 1_000_000;
    let count = fewest + u32::try_from(more).unwrap_or_default();
    for step in 1..=count {
        begins_us += dice.random_range(SECOND_US / 4..handling.every_us);
        day.plans.go_on(occasion, step, begins_us);
    }
}

fn handle_one_of_many(day: &mut Workday<'_>, occasion: Occasion, handling: &Handling, at_us: i64) {
    let scene = &mut *day.scene;
    let name = occasion.step_name();
    let id = scene.chance.uuid(&["errand file", &name]);
    let item_id = scene.chance.uuid(&["errand item", &name]);
    let user = &scene.users[occasion.person];
    let mut origin = user.origin.clone();
    if occasion.errand == Errand::SetUpComputer {
        origin.device.user_agent = SYNC_CLIENT;
    }
    let kinds = ["xlsx", "docx", "pdf", "pptx"];
    let facts = LibraryOperation {
        id: &id,
        at_us,
        operation: handling.operation,
        record_type: 6,
        user,
        origin: &origin,
        session_id: &user.session_id,
        library: handling.library,
        file: &format!(
            "Notes {}-{:03}.{}",
            occasion.serial,
            occasion.step,
            kinds[occasion.step as usize % kinds.len()]
        ),
        item_id: &item_id,
    };
    let members = if occasion.errand == Errand::TidyUp {
        json!({})
    } else {
        json!({"FileSizeBytes": 9_000 + u64::from(occasion.step) * 7_919 % 3_000_000})
    };
    scene.recorder.library_file(&facts, members);
}
