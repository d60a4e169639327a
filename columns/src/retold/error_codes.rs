//! Numbers of the errors of sign-ins that older records give by name only.

/// Names and numbers.
///
/// Source: Microsoft Learn, "Microsoft Entra authentication and authorization error codes".
const ERRORS: &[(&str, i64)] = &[
    ("InvalidUserNameOrPassword", 50_126),
    ("UserAccountNotFound", 50_034),
    ("UserDisabled", 50_057),
    ("IdsLocked", 50_053),
    ("InvalidPasswordExpiredPassword", 50_055),
    ("InvalidPasswordExpiredOnPremPassword", 50_144),
    ("InvalidOrNullPassword", 50_056),
    ("UserStrongAuthEnrollmentRequiredInterrupt", 50_072),
    ("UserStrongAuthClientAuthNRequired", 50_074),
    ("UserStrongAuthClientAuthNRequiredInterrupt", 50_076),
    ("UserStrongAuthEnrollmentRequired", 50_079),
    (
        "AuthenticationFailedDuringStrongAuthenticationRequest",
        500_121,
    ),
    ("UserInformationNotProvided", 50_058),
    ("KmsiInterrupt", 50_140),
    ("DeviceAuthenticationRequired", 50_097),
    ("FreshTokenNeeded", 50_173),
    ("SsoArtifactInvalidOrExpired", 50_132),
    ("SsoArtifactRevoked", 50_133),
    ("PasswordChangeRequiredConditionalAccess", 50_142),
    ("EntitlementGrantsNotFound", 50_105),
    ("UserUnauthorized", 50_020),
    ("DeviceNotCompliant", 53_000),
    ("DeviceNotDomainJoined", 53_001),
    ("ApplicationUsedIsNotAnApprovedApp", 53_002),
    ("BlockedByConditionalAccess", 53_003),
    ("ProofUpBlockedDueToRisk", 53_004),
    ("DelegationDoesNotExist", 65_001),
    ("AdminConsentRequired", 90_094),
];

/// The number of an error, by its name.
pub(super) fn code_of(name: &str) -> Option<i64> {
    let mut errors = ERRORS.iter();
    errors
        .find(|(own, _)| own.eq_ignore_ascii_case(name))
        .map(|(_, code)| *code)
}
