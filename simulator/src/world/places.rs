//! Where calls come from: places, devices, and the applications they reach.
//!
//! Addresses are from the ranges set aside for documentation and benchmarks (RFC 5737, RFC 2544),
//! system numbers from those set aside for documentation (RFC 5398).

/// A place as Entra locates it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct GeoLocation {
    pub(crate) city: &'static str,
    pub(crate) state: &'static str,
    pub(crate) country: &'static str,
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
    pub(crate) autonomous_system: u32,
}

/// A device as Entra describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientDevice {
    pub(crate) operating_system: &'static str,
    pub(crate) browser: &'static str,
    pub(crate) user_agent: &'static str,
    /// Known to the tenant: managed, compliant, joined.
    pub(crate) managed: bool,
}

/// Where a call comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Origin {
    pub(crate) ip: String,
    pub(crate) place: GeoLocation,
    pub(crate) device: ClientDevice,
    /// Empty for a device that the tenant does not know.
    pub(crate) device_id: String,
}

impl Origin {
    /// A device that the tenant does not know.
    pub(crate) fn unknown(ip: &str, place: GeoLocation, device: ClientDevice) -> Self {
        Self {
            ip: ip.to_owned(),
            place,
            device,
            device_id: String::new(),
        }
    }
}

const fn place(
    city: &'static str,
    state: &'static str,
    country: &'static str,
    (latitude, longitude): (f64, f64),
    autonomous_system: u32,
) -> GeoLocation {
    GeoLocation {
        city,
        state,
        country,
        latitude,
        longitude,
        autonomous_system,
    }
}

/// Where the tenant's people work.
pub(crate) const HOMES: &[GeoLocation] = &[
    place("Hamburg", "Hamburg", "DE", (53.55, 9.99), 64_496),
    place("Bremen", "Bremen", "DE", (53.08, 8.8), 64_496),
    place("Rotterdam", "Zuid-Holland", "NL", (51.92, 4.48), 64_497),
    place("Antwerpen", "Antwerpen", "BE", (51.22, 4.4), 64_498),
];

/// Where the phishing proxy stands.
pub(crate) const ATTACKER_PROXY: GeoLocation =
    place("Chisinau", "Chisinau", "MD", (47.01, 28.86), 64_510);

/// Where the stolen session is used from.
pub(crate) const ATTACKER_DESK: GeoLocation = place("Lagos", "Lagos", "NG", (6.45, 3.39), 64_511);

/// Where the malicious application's server stands.
pub(crate) const ATTACKER_SERVER: GeoLocation =
    place("Ashburn", "Virginia", "US", (39.04, -77.49), 64_508);

/// Where rented machines guess passwords.
pub(crate) const RENTED_MACHINES: GeoLocation =
    place("Frankfurt", "Hessen", "DE", (50.11, 8.68), 64_509);

/// Where somebody sends prompts from at night.
pub(crate) const PROMPT_SENDER: GeoLocation =
    place("Medan", "North Sumatra", "ID", (3.6, 98.67), 64_507);

/// Where a large tenant's traffic reaches the internet, for those who are connected to it.
pub(crate) const COMPANY_EGRESS: GeoLocation =
    place("Frankfurt", "Hessen", "DE", (50.11, 8.68), 64_499);

/// Where applications that people use have their servers.
pub(crate) const VENDOR_SERVER: GeoLocation =
    place("Dublin", "Dublin", "IE", (53.35, -6.26), 65_536);

/// Where partners work, whom people invite.
pub(crate) const PARTNER_OFFICE: GeoLocation =
    place("Gdansk", "Pomorskie", "PL", (54.35, 18.65), 65_537);

/// Where people fly to for a day or two.
pub(crate) const NEAR_DESTINATIONS: &[GeoLocation] = &[
    place("London", "London", "GB", (51.51, -0.13), 65_538),
    place("Madrid", "Madrid", "ES", (40.42, -3.7), 65_539),
    place("Warszawa", "Mazowieckie", "PL", (52.23, 21.01), 65_540),
    place("Milano", "Lombardia", "IT", (45.46, 9.19), 65_541),
    place("Kobenhavn", "Hovedstaden", "DK", (55.68, 12.57), 65_542),
];

/// Where people are for longer, besides.
pub(crate) const FAR_DESTINATIONS: &[GeoLocation] = &[
    place("New York", "New York", "US", (40.71, -74.01), 65_543),
    place("Singapore", "Singapore", "SG", (1.35, 103.82), 65_544),
    place("Dubai", "Dubai", "AE", (25.2, 55.27), 65_545),
];

/// What the tenant's people use.
pub(crate) const DEVICES: &[ClientDevice] = &[
    ClientDevice {
        operating_system: "Windows11",
        browser: "Edge 140.0.0",
        user_agent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
        managed: true,
    },
    ClientDevice {
        operating_system: "MacOs",
        browser: "Safari 18.6",
        user_agent: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
        managed: true,
    },
    ClientDevice {
        operating_system: "Windows10",
        browser: "Chrome 139.0.0",
        user_agent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36",
        managed: true,
    },
];

/// What people have in their pockets.
pub(crate) const PHONE: ClientDevice = ClientDevice {
    operating_system: "Ios 18.6",
    browser: "Mobile Safari 18.6",
    user_agent: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    managed: false,
};

/// What Entra sees of a server that refreshes a token for a person.
pub(crate) const SERVER_DEVICE: ClientDevice = ClientDevice {
    operating_system: "",
    browser: "",
    user_agent: "",
    managed: false,
};

/// How the program that keeps files in step names itself.
pub(crate) const SYNC_CLIENT: &str =
    "Microsoft SkyDriveSync 25.149.0803.0003 ship; Windows NT 10.0 (26100)";

/// What the phishing proxy shows itself as.
pub(crate) const PROXY_DEVICE: ClientDevice = ClientDevice {
    operating_system: "Windows10",
    browser: "Chrome 131.0.0",
    user_agent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    managed: false,
};

/// What the stolen session is used with.
pub(crate) const SCRIPT_DEVICE: ClientDevice = ClientDevice {
    operating_system: "Linux",
    browser: "Python Requests 2.32",
    user_agent: "python-requests/2.32.3",
    managed: false,
};

/// What Entra sees of a mail client that hands over the password.
pub(crate) const MAIL_CLIENT: ClientDevice = ClientDevice {
    operating_system: "",
    browser: "",
    user_agent: "BAV2ROPC",
    managed: false,
};

/// An application that is signed in to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientApplication<'a> {
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) resource_id: &'a str,
    pub(crate) resource: &'a str,
}

impl<'a> ClientApplication<'a> {
    /// An application that asks for Microsoft Graph in a person's name.
    pub(crate) const fn over_graph(id: &'a str, name: &'a str) -> Self {
        Self {
            id,
            name,
            resource_id: GRAPH_RESOURCE,
            resource: "Microsoft Graph",
        }
    }
}

/// The portal of Microsoft 365.
pub(crate) const OFFICE_HOME: ClientApplication<'static> = ClientApplication {
    id: "4765445b-32c6-49b0-83e6-1d93765276ca",
    name: "OfficeHome",
    resource_id: "4765445b-32c6-49b0-83e6-1d93765276ca",
    resource: "OfficeHome",
};

/// Outlook on the web.
pub(crate) const OUTLOOK_WEB: ClientApplication<'static> = ClientApplication {
    id: "9199bf20-a13f-4107-85dc-02114787ef48",
    name: "One Outlook Web",
    resource_id: "00000002-0000-0ff1-ce00-000000000000",
    resource: "Office 365 Exchange Online",
};

/// Mailboxes, as mail clients open them.
pub(crate) const EXCHANGE: ClientApplication<'static> = ClientApplication {
    id: "00000002-0000-0ff1-ce00-000000000000",
    name: "Office 365 Exchange Online",
    resource_id: "00000002-0000-0ff1-ce00-000000000000",
    resource: "Office 365 Exchange Online",
};

/// The portal in which the tenant is administered.
pub(crate) const ADMIN_PORTAL: ClientApplication<'static> = ClientApplication {
    id: "c44b4083-3bb0-49c1-b47d-974e53cbdf3c",
    name: "Azure Portal",
    resource_id: "797f4846-ba00-4fd7-ba43-dac1f8f63013",
    resource: "Windows Azure Service Management API",
};

/// What developers sign in to from a terminal.
pub(crate) const COMMAND_LINE: ClientApplication<'static> = ClientApplication {
    id: "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
    name: "Microsoft Azure CLI",
    resource_id: "797f4846-ba00-4fd7-ba43-dac1f8f63013",
    resource: "Windows Azure Service Management API",
};

/// Application id of Privileged Identity Management.
pub(crate) const PIM_APP: &str = "01fc33a7-78ba-4d2f-a4b7-768e336e890e";

/// Application id of Exchange Online PowerShell.
pub(crate) const EXCHANGE_POWERSHELL: &str = "fb78d390-0c51-40cd-8e17-fdbfab77341b";

/// Id of Microsoft Graph as a resource.
pub(crate) const GRAPH_RESOURCE: &str = "00000003-0000-0000-c000-000000000000";

/// What ordinary people sign in to.
pub(crate) const APPS: &[ClientApplication<'static>] = &[
    OFFICE_HOME,
    OUTLOOK_WEB,
    ClientApplication {
        id: "1fec8e78-bce4-4aaf-ab1b-5451cc387264",
        name: "Microsoft Teams",
        resource_id: "cc15fd57-2c6c-4117-a88c-83b1d56b4bbe",
        resource: "Microsoft Teams Services",
    },
    ClientApplication {
        id: "08e18876-6177-487e-b8b5-cf950c1e598c",
        name: "SharePoint Online Web Client Extensibility",
        resource_id: "00000003-0000-0ff1-ce00-000000000000",
        resource: "Office 365 SharePoint Online",
    },
];
