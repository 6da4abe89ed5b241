"""Phrases of the generated patient messages: templates by direction, code and sub-code, and what fills them."""

PATIENT, PROVIDER = "N", "Y"
"""Value of TO_PAT_YN: the patient writes to the provider, or the provider to the patient."""

TEMPLATES: dict[str, dict[tuple[str, str], tuple[float, tuple[str, ...]]]] = {
    PATIENT: {
        ("SDOH", "EconomicStability"): (
            1.2,
            (
                "[i cannot afford {med}] this month",
                "[my bills keep piling up] since {day}",
                "i lost [my job at the {thing}]",
            ),
        ),
        ("SDOH", "EducationAccessAndQuality"): (
            0.8,
            ("[i do not understand the words] in the letter about {proc}", "[i never learned to read] labels well"),
        ),
        ("SDOH", "HealthCareAccessAndQuality"): (
            1.2,
            (
                "[my insurance refused {med}] on {day}",
                "[i only sleep four hours] because of {sym}",
                "[i walk every evening] now",
            ),
        ),
        ("SDOH", "NeighborhoodAndBuiltEnvironment"): (
            1.0,
            ("[i have no ride] to {proc} on {day}", "[the air near my house is bad] and i get {sym}"),
        ),
        ("SDOH", "SocialAndCommunityContext"): (
            1.0,
            ("[{who} helps me at home] with {med}", "[i live alone] and have {sym}", "[nobody visits me] but {who}"),
        ),
        ("PartnershipPatient", "activeParticipation/involvement"): (
            2.2,
            (
                "[i have had {sym}] since {day}",
                "[i took {med}] before {proc}",
                "can you [tell me when {proc} is]",
                "[{who} noticed {sym}] again",
            ),
        ),
        ("PartnershipPatient", "expressOpinions"): (
            1.6,
            (
                "[i think {med} is too strong]",
                "in my view [{proc} did not help]",
                "[i feel that the {thing} was rushed]",
            ),
        ),
        ("PartnershipPatient", "statePreferences"): (
            1.4,
            (
                "[i would rather avoid {proc}]",
                "[i want to stop {med}] before {day}",
                "my goal is [to be free of {sym}]",
            ),
        ),
        ("PartnershipPatient", "Appreciation/Gratitude"): (
            1.2,
            ("[thank you for explaining {proc}]", "[i am grateful for the {thing}] you sent on {day}"),
        ),
        ("PartnershipPatient", "connection"): (
            0.8,
            ("[hope your trip on {day} was fun]", "[{who} says hello to your dog]"),
        ),
        ("PartnershipPatient", "alignment"): (
            0.8,
            ("[so we agree about {proc}] then", "[just making sure we both mean {med}]"),
        ),
        ("PartnershipPatient", "build trust"): (
            0.8,
            ("[i trust you with {proc}]", "[you have always been honest] about {med}"),
        ),
        ("PartnershipPatient", "Clinical care"): (
            0.8,
            ("[the dose of {med} was doubled] on {day}", "[they checked my blood] after {proc}"),
        ),
        ("SharedDecisionPatient", "ExploreOptions"): (
            1.4,
            ("[what else is there besides {med}]", "[are there other choices than {proc}] for {sym}"),
        ),
        ("SharedDecisionPatient", "SeekingApproval"): (
            1.2,
            ("[may i skip {med}] on {day}", "[is it ok to travel] after {proc}"),
        ),
        ("SharedDecisionPatient", "ApprovalofDecision/Reinforcement"): (
            1.0,
            ("[yes let us go ahead with {proc}]", "[{med} sounds like the right choice] to me"),
        ),
        ("SocioEmotionalBehaviour", "None"): (
            1.6,
            ("[i am so scared of {proc}]", "[{sym} makes me worry all night]", "[this has been hard on {who}]"),
        ),
        ("CareCoordinationPatient", "None"): (
            1.2,
            ("please [send the {thing} to {doc}]", "[{doc} needs to hear from your office] by {day}"),
        ),
    },
    PROVIDER: {
        ("SDOH", "EconomicStability"): (
            0.8,
            ("there is [a fund that pays for {med}]", "[if rent is a problem this month] call the {thing} line"),
        ),
        ("SDOH", "EducationAccessAndQuality"): (
            0.6,
            ("[we have a class about reading labels] on {day}", "[an easier leaflet about {proc}] is attached"),
        ),
        ("SDOH", "HealthCareAccessAndQuality"): (
            0.8,
            ("[your plan covers {proc}] from {day}", "[less salt and more sleep] can ease {sym}"),
        ),
        ("SDOH", "NeighborhoodAndBuiltEnvironment"): (
            0.6,
            ("[a van can drive you] to {proc}", "[keep the windows shut when smoke is near] to avoid {sym}"),
        ),
        ("SDOH", "SocialAndCommunityContext"): (
            0.6,
            ("[there is a support group] on {day}", "[ask {who} to stay with you] after {proc}"),
        ),
        ("PartnershipProvider", "inviteCollabration"): (
            1.6,
            (
                "[please write down each {sym}] until {day}",
                "[let us plan {proc} together]",
                "[you can lower {med} yourself]",
            ),
        ),
        ("PartnershipProvider", "requestsForOpinion"): (
            1.4,
            ("[what do you think about {proc}]", "[how do you feel on {med}]", "[would you prefer {day}]"),
        ),
        ("PartnershipProvider", "checkingUnderstanding/clarification"): (
            1.2,
            (
                "[is the {thing} clear to you]",
                "[can you repeat how to take {med}]",
                "to be clear , [{proc} is on {day}]",
            ),
        ),
        ("PartnershipProvider", "acknowledgePatientExpertiseKnowledge"): (
            1.0,
            ("[you know your {sym} best]", "[this page has more about {med}]"),
        ),
        ("PartnershipProvider", "maintainCommunication"): (
            1.2,
            ("[i will message you about the {thing}] by {day}", "[we will call once {proc} is booked]"),
        ),
        ("PartnershipProvider", "Clinical Care"): (
            2.0,
            ("[start {med} twice a day]", "[your {thing} shows no damage]", "[{proc} is the next step] for {sym}"),
        ),
        ("PartnershipProvider", "Appreciation/Gratitude"): (
            0.8,
            ("[thanks for sending the {thing}]", "[we appreciate that you came] on {day}"),
        ),
        ("PartnershipProvider", "connection"): (
            0.6,
            ("[enjoy the game with {who}]", "[congratulations on the new garden]"),
        ),
        ("PartnershipProvider", "alignment"): (
            0.8,
            ("[we are on the same page about {med}]", "[that matches what i had in mind] for {proc}"),
        ),
        ("PartnershipProvider", "build trust"): (
            0.6,
            ("[you can count on us] during {proc}", "[i have treated {sym} for many years]"),
        ),
        ("SharedDecisionProvider", "ShareOptions"): (
            1.4,
            (
                "[either {med} or {proc} would work]",
                "[one risk of {proc} is {sym}]",
                "[a benefit of {med} is less {sym}]",
            ),
        ),
        ("SharedDecisionProvider", "MakeDecision"): (
            1.2,
            ("[so we decided on {proc}]", "[we will stay with {med} until {day}] as discussed"),
        ),
        ("SharedDecisionProvider", "Approval/Reinforcement"): (
            1.0,
            ("[good choice to try {med}]", "[you did well to ask about {sym}]"),
        ),
        ("SocioEmotionalBehaviour", "None"): (
            1.4,
            ("[sorry that {sym} is so hard]", "[do not worry about {proc}]", "[many people fear {med} at first]"),
        ),
        ("CareCoordinationProvider", "None"): (
            1.2,
            (
                "[we sent your {thing} to {doc}]",
                "[{doc} will arrange {proc}]",
                "[the pharmacy has your order] for {med}",
            ),
        ),
    },
}
"""Weight and templates of each code and sub-code; the bracketed part is the span. Greetings are in SALUTATIONS."""

SALUTATIONS = {
    PATIENT: ("PartnershipPatient", "salutation", ("[hi {doc}] ,", "[good morning {doc}] ,", "[dear {doc}] ,")),
    PROVIDER: (
        "PartnershipProvider",
        "salutation",
        ("[hello {name}] ,", "[good afternoon {name}] ,", "[dear {name}] ,"),
    ),
}

SIGNOFFS = {
    PATIENT: ("PartnershipPatient", "signoff", ("[best regards {name}]", "[thanks {name}]", "[talk soon {name}]")),
    PROVIDER: ("PartnershipProvider", "signoff", ("[best wishes {doc}]", "[take care {doc}]", "[kind regards {doc}]")),
}

UNLABELLED = (
    "the {thing} is attached .",
    "it was {day} .",
    "see the note about {proc} .",
    "this is about {med} .",
    "the portal was down on {day} .",
)
"""What stands between segments and is annotated as nothing."""

FILLERS = {
    "sym": (
        "dizziness / chest pain / nausea / back pain / a rash / headaches / fatigue / a cough / swelling / cramps"
        " / blurry vision / numbness"
    ),
    "med": (
        "metformin / lisinopril / the inhaler / insulin / the new pills / ibuprofen / warfarin / the cream"
        " / prednisone / the eye drops"
    ),
    "proc": "surgery / the scan / physical therapy / the biopsy / chemo / the blood test / dialysis / the checkup",
    "who": "my sister / my husband / my wife / a neighbor / my daughter / my son / a friend / my mother",
    "doc": "dr lee / dr patel / dr gomez / dr smith / dr okafor / dr novak / dr weiss",
    "day": "monday / tuesday / wednesday / thursday / friday / saturday / sunday",
    "thing": "report / form / referral / chart / x ray / summary / bill / result",
    "name": "maria / james / anna / robert / grace / omar / linda / chen",
}

CONFUSABLE: dict[str, dict[tuple[str, str], tuple[str, str]]] = {
    PATIENT: {
        ("SharedDecisionPatient", "ExploreOptions"): ("PartnershipPatient", "activeParticipation/involvement"),
        ("SharedDecisionPatient", "SeekingApproval"): ("SharedDecisionPatient", "ExploreOptions"),
        ("SharedDecisionPatient", "ApprovalofDecision/Reinforcement"): ("PartnershipPatient", "alignment"),
        ("PartnershipPatient", "expressOpinions"): ("SocioEmotionalBehaviour", "None"),
        ("PartnershipPatient", "statePreferences"): ("PartnershipPatient", "expressOpinions"),
        ("PartnershipPatient", "Appreciation/Gratitude"): ("PartnershipPatient", "build trust"),
        ("PartnershipPatient", "Clinical care"): ("PartnershipPatient", "activeParticipation/involvement"),
        ("SDOH", "SocialAndCommunityContext"): ("SocioEmotionalBehaviour", "None"),
    },
    PROVIDER: {
        ("PartnershipProvider", "requestsForOpinion"): ("PartnershipProvider", "inviteCollabration"),
        ("PartnershipProvider", "checkingUnderstanding/clarification"): ("PartnershipProvider", "requestsForOpinion"),
        ("PartnershipProvider", "acknowledgePatientExpertiseKnowledge"): ("PartnershipProvider", "build trust"),
        ("PartnershipProvider", "maintainCommunication"): ("CareCoordinationProvider", "None"),
        ("PartnershipProvider", "Clinical Care"): ("SharedDecisionProvider", "MakeDecision"),
        ("SharedDecisionProvider", "ShareOptions"): ("PartnershipProvider", "Clinical Care"),
        ("SharedDecisionProvider", "Approval/Reinforcement"): ("PartnershipProvider", "alignment"),
        ("SDOH", "HealthCareAccessAndQuality"): ("PartnershipProvider", "Clinical Care"),
    },
}
"""Text of the left annotated as the right, where a noise draw says so."""
