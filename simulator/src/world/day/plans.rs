//! What is planned on an ordinary day.

/// Something that a person does on an ordinary day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    SignIn,
    MistypePassword,
    RefreshToken,
    ReadMail,
    SendMail,
    OpenFile,
    EditFile,
    DownloadFile,
    Talk,
    SortNewsletters,
    AdministerUsers,
}

/// Something harmless that somebody does now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Errand {
    ConsentToApplication,
    GrantForEverybody,
    AddOwner,
    RotateSecret,
    ActivateDeskRole,
    ActivateRole,
    ResetPassword,
    RegisterTelephone,
    SilenceNotifications,
    ForwardToColleague,
    ForwardForHoliday,
    DelegateMailbox,
    DelegateSending,
    ShareCalendar,
    BeAway,
    Fly,
    UsePhone,
    ConnectToCompany,
    DeclinePrompt,
    LockAccount,
    UseDeviceCode,
    SendScan,
    ShareInside,
    ShareWithAnybody,
    InviteGuest,
    SetUpComputer,
    DownloadFolder,
    TidyUp,
    ChatOutside,
    KeepCorrespondence,
    FirstSynchronisation,
    AdministerAccount,
    AddUser,
    WelcomeNewcomers,
    EnforcePolicy,
}

/// One time that an errand is done, and how far it has come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occasion {
    pub(crate) errand: Errand,
    pub(crate) person: usize,
    pub(crate) serial: u32,
    /// 0 at first; an errand that goes on has further steps.
    pub(crate) step: u32,
}

impl Occasion {
    /// Names the errand whatever its step.
    pub(crate) fn name(self) -> String {
        format!("{:?}/{}", self.errand, self.serial)
    }

    /// Whether it goes on without the person or with somebody else, whatever has become of the account.
    pub(crate) fn goes_on_alone(self) -> bool {
        let can = matches!(
            self.errand,
            Errand::RotateSecret
                | Errand::ActivateDeskRole
                | Errand::ActivateRole
                | Errand::ResetPassword
                | Errand::InviteGuest
                | Errand::ConsentToApplication
        );
        self.step > 0 && can
    }

    /// Names the errand at this step.
    pub(crate) fn step_name(self) -> String {
        format!("{:?}/{}/{}", self.errand, self.serial, self.step)
    }
}

/// Something that is planned on an ordinary day.
#[derive(Debug, Clone, Copy)]
pub(crate) enum DayEvent {
    /// A person does something ordinary.
    Habit {
        user: usize,
        habit: Habit,
        serial: u32,
    },
    /// Somebody does what is done now and then, or what goes on from it.
    Errand(Occasion),
    /// An application signs in.
    ServicePrincipal { index: usize, serial: u32 },
}

/// What the day plans while it goes on, in the order in which it was planned.
#[derive(Debug)]
pub(crate) struct DayPlans {
    ends_us: i64,
    planned: Vec<(i64, DayEvent)>,
}

impl DayPlans {
    /// No plans yet, of a day that ends at a time.
    pub(crate) const fn new(ends_us: i64) -> Self {
        Self {
            ends_us,
            planned: Vec::new(),
        }
    }

    /// Plans an event.
    pub(crate) fn plan(&mut self, at_us: i64, event: DayEvent) {
        self.planned.push((at_us, event));
    }

    /// Plans how an errand goes on, unless the day is over by then.
    pub(crate) fn go_on(&mut self, occasion: Occasion, step: u32, at_us: i64) {
        if at_us < self.ends_us {
            self.plan(at_us, DayEvent::Errand(Occasion { step, ..occasion }));
        }
    }

    /// Takes what was planned.
    pub(crate) fn take(&mut self) -> Vec<(i64, DayEvent)> {
        std::mem::take(&mut self.planned)
    }
}
