//! How a sign-in ends, in the words of Entra and of the unified audit log.
//!
//! Source: AADSTS error codes of the Microsoft identity platform.

/// How a sign-in ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignInOutcome {
    Success,
    /// The password is wrong.
    BadPassword,
    /// The account is blocked.
    Disabled,
    /// The session was revoked.
    Revoked,
    /// Too many wrong passwords, or an address that is known to be malicious.
    Locked,
    /// The password is right and has expired.
    ExpiredPassword,
    /// The tenant has no such account.
    UnknownUser,
    /// The application waits for the person's consent.
    ConsentRequired,
    /// The password is right; a second factor is asked for.
    SecondFactorRequired,
    /// The same, because a policy asks for it.
    SecondFactorRequiredByPolicy,
    /// The person declined the prompt.
    SecondFactorDeclined,
    /// The person did not answer the prompt.
    SecondFactorUnanswered,
}

impl SignInOutcome {
    /// The AADSTS code.
    pub(crate) const fn code(self) -> u32 {
        match self {
            Self::Success => 0,
            Self::BadPassword => 50_126,
            Self::Disabled => 50_057,
            Self::Revoked => 50_173,
            Self::Locked => 50_053,
            Self::ExpiredPassword => 50_055,
            Self::UnknownUser => 50_034,
            Self::ConsentRequired => 65_001,
            Self::SecondFactorRequired => 50_074,
            Self::SecondFactorRequiredByPolicy => 50_076,
            Self::SecondFactorDeclined | Self::SecondFactorUnanswered => 500_121,
        }
    }

    /// What Entra says of the code.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Success => "Other.",
            Self::BadPassword => {
                "Error validating credentials due to invalid username or password."
            }
            Self::Disabled => "The user account is disabled.",
            Self::Revoked => {
                "The provided grant has expired due to it being revoked, a fresh auth token is needed. \
                 The user might have changed or reset their password."
            }
            Self::Locked => {
                "The account is locked, you've tried to sign in too many times with an incorrect user ID or password."
            }
            Self::ExpiredPassword => "The password is expired.",
            Self::UnknownUser => "The user account does not exist in the directory.",
            Self::ConsentRequired => {
                "The user or administrator has not consented to use the application."
            }
            Self::SecondFactorRequired => "Strong Authentication is required.",
            Self::SecondFactorRequiredByPolicy => {
                "Due to a configuration change made by your administrator, or because you moved to a new location, \
                 you must use multi-factor authentication to access the resource."
            }
            Self::SecondFactorDeclined | Self::SecondFactorUnanswered => {
                "Authentication failed during strong authentication request."
            }
        }
    }

    /// The name by which the unified audit log knows the code.
    pub(super) const fn logon_error(self) -> &'static str {
        match self {
            Self::Success => "",
            Self::BadPassword => "InvalidUserNameOrPassword",
            Self::Disabled => "UserDisabled",
            Self::Revoked => "FreshTokenNeeded",
            Self::Locked => "IdsLocked",
            Self::ExpiredPassword => "InvalidPasswordExpiredPassword",
            Self::UnknownUser => "UserAccountNotFound",
            Self::ConsentRequired => "DelegationDoesNotExist",
            Self::SecondFactorRequired => "UserStrongAuthClientAuthNRequiredInterrupt",
            Self::SecondFactorRequiredByPolicy => "UserStrongAuthClientAuthNRequired",
            Self::SecondFactorDeclined | Self::SecondFactorUnanswered => {
                "AuthenticationFailedSasError"
            }
        }
    }

    /// What Entra says of the second factor, where it was asked for in this very sign-in.
    pub(super) const fn second_factor(self) -> Option<&'static str> {
        match self {
            Self::Success => Some("MFA completed in Azure AD"),
            Self::SecondFactorRequired | Self::SecondFactorRequiredByPolicy => {
                Some("MFA required in Azure AD")
            }
            Self::SecondFactorDeclined => Some("MFA denied; user declined the authentication"),
            Self::SecondFactorUnanswered => {
                Some("MFA denied; user did not respond to mobile app notification")
            }
            _ => None,
        }
    }

    /// Whether the password was looked at and was right.
    pub(super) const fn password_was_right(self) -> bool {
        !matches!(self, Self::BadPassword | Self::Locked | Self::UnknownUser)
    }

    /// Whether it is the success.
    pub(crate) fn succeeded(self) -> bool {
        self == Self::Success
    }
}
