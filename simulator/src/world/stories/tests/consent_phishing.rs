//! The malicious application gets what it asks for, and takes the whole inbox.

use std::collections::BTreeSet;

use super::{Day, SEEDS, codes, has_change, named, texts};
use crate::world::moment::MINUTE_US;

#[test]
fn consent_phishing_grants_mail_scopes_and_reads_mail_by_graph() {
    for seed in SEEDS {
        let day = Day::of(seed, &named("consent_phishing"));
        let names = [
            "link_followed",
            "consented",
            "signed_in",
            "token_refreshed",
            "mail_read",
        ];
        assert_eq!(day.order(), names, "seed {seed}");
        assert_eq!(codes(&day.told("link_followed")), BTreeSet::from([65_001]));
        let consent = day.told("consented");
        assert_eq!(
            texts(&consent, "/Operation"),
            [
                "Add service principal.",
                "Add delegated permission grant.",
                "Add app role assignment grant to user.",
                "Consent to application.",
            ]
        );
        assert_eq!(
            texts(&consent, "/operationName").last().unwrap(),
            "Consent to application"
        );
        let last = consent.last().unwrap();
        assert!(has_change(
            last,
            "ConsentAction.Permissions",
            "Mail.ReadWrite"
        ));
        assert!(has_change(last, "ConsentContext.IsAdminConsent", "False"));
        let read = day.told("mail_read");
        let app_id = day.told("signed_in")[0]["properties"]["appId"].clone();
        let mut categories: BTreeSet<&str> = BTreeSet::new();
        for record in &read {
            if record["Operation"] == "MailItemsAccessed" {
                assert_eq!(
                    (&record["AppId"], &record["ClientAppId"]),
                    (&app_id, &app_id)
                );
                assert_eq!(record["AppAccessContext"]["ClientAppId"], app_id);
                categories.insert("MailItemsAccessed");
            } else {
                let properties = &record["properties"];
                let token = &day.told("token_refreshed")[0]["properties"];
                assert_eq!(properties["appId"], app_id);
                assert_eq!(
                    properties["signInActivityId"],
                    token["uniqueTokenIdentifier"]
                );
                categories.insert(record["category"].as_str().unwrap());
            }
        }
        assert_eq!(
            categories,
            BTreeSet::from(["MailItemsAccessed", "MicrosoftGraphActivityLogs"])
        );
    }
}

#[test]
fn the_application_takes_the_whole_inbox_in_half_an_hour() {
    for seed in SEEDS {
        let day = Day::of(seed, &named("consent_phishing"));
        let read = day.told("mail_read");
        // Each page is told twice: the messages by Exchange, the request by Graph.
        let pages = day.steps("mail_read");
        assert_eq!(read.len(), 2 * pages.len(), "seed {seed}");
        let took_us = pages[pages.len() - 1].at_us - pages[0].at_us;
        assert!(
            (25 * MINUTE_US..=30 * MINUTE_US).contains(&took_us),
            "seed {seed}"
        );
        let exchange = read
            .iter()
            .filter(|one| one["Operation"] == "MailItemsAccessed");
        let mut messages: BTreeSet<&str> = BTreeSet::new();
        let mut counted = 0;
        for record in exchange {
            assert_eq!(record["OperationProperties"][0]["Value"], "Bind");
            assert_eq!(
                record["ClientInfoString"],
                "Client=REST;Client=RESTSystem;;"
            );
            counted += record["OperationCount"].as_u64().unwrap();
            let items = record["Folders"][0]["FolderItems"].as_array().unwrap();
            messages.extend(
                items
                    .iter()
                    .map(|item| item["InternetMessageId"].as_str().unwrap()),
            );
        }
        assert_eq!(counted, messages.len() as u64, "seed {seed}");
        // The whole inbox, which holds some thousands.
        assert!((1_400..=3_600).contains(&counted), "seed {seed}: {counted}");
    }
}
