//! Who does what in a company of hundreds, and what the day has changed in it.

use std::collections::BTreeSet;

use crate::world::chance::Chance;
use crate::world::places::{HOMES, MAIL_CLIENT};
use crate::world::service_principals::consented_before;
use crate::world::users::{ADMINISTRATOR, DOMAIN, User, bystanders};

/// People are counted in whole hundreds: a tenant of some dozens has nothing of what happens in companies only.
const PEOPLE_COUNTED: usize = 100;
/// People for whom one member of the help desk is there.
const PEOPLE_PER_HELPER: usize = 250;
/// People for whom one administrator is there besides the first.
const PEOPLE_PER_ADMINISTRATOR: usize = 1_000;
/// People for whom one printer sends scans by mail.
const PEOPLE_PER_PRINTER: usize = 1_000;
/// The department whose people work with terminals.
const DEVELOPING_DEPARTMENT: &str = "Engineering";

/// Who does what in a company; nobody does in a tenant of some dozens.
///
/// Nobody of them is the one to whom a story happens, but for the first administrator.
#[derive(Debug, Default)]
pub(crate) struct Company {
    /// People, in whole hundreds.
    pub(crate) people: usize,
    /// The first is the one who does the tenant's admin work in every tenant.
    pub(crate) administrators: Vec<usize>,
    pub(crate) help_desk: Vec<usize>,
    pub(crate) developers: Vec<usize>,
    /// Everybody else.
    pub(crate) staff: Vec<usize>,
    pub(crate) printers: Vec<usize>,
    /// Applications that somebody has consented to before.
    pub(crate) applications: BTreeSet<&'static str>,
}

impl Company {
    /// The company of these users, of whom some become printers.
    pub(crate) fn of(chance: Chance, users: &mut [User]) -> Self {
        let people = users.len() / PEOPLE_COUNTED * PEOPLE_COUNTED;
        if people == 0 {
            return Self::default();
        }
        let mut rest = bystanders(chance, users.len());
        let printers = rest.split_off(rest.len() - people / PEOPLE_PER_PRINTER);
        for (number, index) in (1..).zip(&printers) {
            become_printer(&mut users[*index], number);
        }
        let mut take = |count: usize| -> Vec<usize> { rest.drain(..count).collect() };
        let mut administrators = vec![ADMINISTRATOR];
        administrators.extend(take((people / PEOPLE_PER_ADMINISTRATOR).max(1)));
        let help_desk = take((people / PEOPLE_PER_HELPER).max(1));
        let develops = |index: &&usize| users[**index].department == DEVELOPING_DEPARTMENT;
        Self {
            people,
            administrators,
            help_desk,
            developers: rest.iter().filter(develops).copied().collect(),
            staff: rest,
            printers,
            applications: consented_before(),
        }
    }
}

/// A printer has an account of its own, with which it sends what it has scanned.
fn become_printer(user: &mut User, number: usize) {
    user.principal_name = format!("printer-{number}@{DOMAIN}");
    user.display_name = format!("Printer {number}");
    user.minutes_at_work = 0;
    user.origin.place = HOMES[0];
    user.origin.device = MAIL_CLIENT;
    user.origin.device_id = String::new();
}

#[cfg(test)]
mod tests {
    use super::{ADMINISTRATOR, Chance, Company};
    use crate::world::users::{first_member, people, story_member};

    #[test]
    fn some_dozens_are_no_company() {
        let chance = Chance::new(1);
        let company = Company::of(chance, &mut people(chance, 99, 0));
        assert_eq!(company.people, 0);
        assert!(company.administrators.is_empty() && company.printers.is_empty());
    }

    #[test]
    fn everybody_has_one_place_and_no_victim_has_any() {
        for seed in 0..20 {
            let chance = Chance::new(seed);
            let company = Company::of(chance, &mut people(chance, 1_250, 0));
            let mut all = company.administrators.clone();
            all.extend(&company.help_desk);
            all.extend(&company.staff);
            all.extend(&company.printers);
            assert_eq!(all[0], ADMINISTRATOR);
            let counts = (company.help_desk.len(), company.printers.len());
            assert_eq!((company.people, counts), (1_200, (4, 1)));
            let victims = (0..5).map(|rank| story_member(chance, 1_250, rank));
            for victim in victims.chain([first_member(chance, 1_250)]) {
                assert!(!all.contains(&victim), "seed {seed}");
            }
            all.sort_unstable();
            all.dedup();
            // Without the four special ones and six victims, and with the administrator.
            assert_eq!(all.len(), 1_250 - 4 - 6 + 1);
        }
    }
}
