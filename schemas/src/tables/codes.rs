//! The numbers of names that exports write in their place.
//!
//! Source: Office 365 Management Activity API schema, `AuditLogRecordType`, `UserType`, `LogonType`.

/// The number that a column has for a name of Microsoft's, in any letter case; none if it is not known.
pub fn code_of(column: &str, name: &str) -> Option<i64> {
    let codes = match column {
        "record_type" => RECORD_TYPES,
        "user_type_code" => USER_TYPES,
        "logon_type" => LOGON_TYPES,
        _ => return None,
    };
    let found = codes
        .iter()
        .find(|(_, known)| known.eq_ignore_ascii_case(name.trim()));
    found.map(|(code, _)| *code)
}

const USER_TYPES: &[(i64, &str)] = &[
    (0, "Regular"),
    (1, "Reserved"),
    (2, "Admin"),
    (3, "DcAdmin"),
    (4, "System"),
    (5, "Application"),
    (6, "ServicePrincipal"),
    (7, "CustomPolicy"),
    (8, "SystemPolicy"),
    (9, "PartnerTechnician"),
    (10, "Guest"),
];

const LOGON_TYPES: &[(i64, &str)] = &[(0, "Owner"), (1, "Admin"), (2, "Delegated")];

#[rustfmt::skip]
const RECORD_TYPES: &[(i64, &str)] = &[
    (1, "ExchangeAdmin"), (2, "ExchangeItem"), (3, "ExchangeItemGroup"), (4, "SharePoint"), (6, "SharePointFileOperation"),
    (7, "OneDrive"), (8, "AzureActiveDirectory"), (9, "AzureActiveDirectoryAccountLogon"), (10, "DataCenterSecurityCmdlet"),
    (11, "ComplianceDLPSharePoint"), (13, "ComplianceDLPExchange"), (14, "SharePointSharingOperation"),
    (15, "AzureActiveDirectoryStsLogon"), (16, "SkypeForBusinessPSTNUsage"), (17, "SkypeForBusinessUsersBlocked"),
    (18, "SecurityComplianceCenterEOPCmdlet"), (19, "ExchangeAggregatedOperation"), (20, "PowerBIAudit"), (21, "CRM"),
    (22, "Yammer"), (23, "SkypeForBusinessCmdlets"), (24, "Discovery"), (25, "MicrosoftTeams"), (28, "ThreatIntelligence"),
    (29, "MailSubmission"), (30, "MicrosoftFlow"), (31, "AeD"), (32, "MicrosoftStream"),
    (33, "ComplianceDLPSharePointClassification"), (34, "ThreatFinder"), (35, "Project"), (36, "SharePointListOperation"),
    (37, "SharePointCommentOperation"), (38, "DataGovernance"), (40, "SecurityComplianceAlerts"), (41, "ThreatIntelligenceUrl"),
    (42, "SecurityComplianceInsights"), (43, "MIPLabel"), (44, "WorkplaceAnalytics"), (45, "PowerAppsApp"),
    (46, "PowerAppsPlan"), (47, "ThreatIntelligenceAtpContent"), (48, "LabelContentExplorer"), (49, "TeamsHealthcare"),
    (50, "ExchangeItemAggregated"), (51, "HygieneEvent"), (52, "DataInsightsRestApiAudit"),
    (53, "InformationBarrierPolicyApplication"), (54, "SharePointListItemOperation"), (55, "SharePointContentTypeOperation"),
    (56, "SharePointFieldOperation"), (57, "MicrosoftTeamsAdmin"), (58, "HRSignal"), (59, "MicrosoftTeamsDevice"),
    (60, "MicrosoftTeamsAnalytics"), (61, "InformationWorkerProtection"), (62, "Campaign"), (63, "DLPEndpoint"),
    (64, "AirInvestigation"), (65, "Quarantine"), (66, "MicrosoftForms"), (67, "ApplicationAudit"),
    (68, "ComplianceSupervisionExchange"), (69, "CustomerKeyServiceEncryption"), (70, "OfficeNative"),
    (71, "MipAutoLabelSharePointItem"), (72, "MipAutoLabelSharePointPolicyLocation"), (73, "MicrosoftTeamsShifts"),
    (75, "MipAutoLabelExchangeItem"), (76, "CortanaBriefing"), (78, "WDATPAlerts"), (82, "SensitivityLabelPolicyMatch"),
    (83, "SensitivityLabelAction"), (84, "SensitivityLabeledFileAction"), (85, "AttackSim"), (86, "AirManualInvestigation"),
    (87, "SecurityComplianceRBAC"), (88, "UserTraining"), (89, "AirAdminActionInvestigation"), (90, "MSTIC"),
    (261, "CopilotInteraction"),
];
