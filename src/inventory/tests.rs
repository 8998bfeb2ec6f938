//! What vendors' lists come to.

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::identity::{Identity, Level};
use crate::domain::ids::{IdentityId, NodeId};
use crate::domain::inventory::Reason;
use crate::domain::vocabulary::IdentityKind;

/// Reads texts as sources of these names, the first trusted most.
fn read(texts: &[(&str, &str)]) -> Inventory {
    parse_all(texts)
}

fn told(inventory: &Inventory) -> Vec<String> {
    let mistakes = inventory.background().mistakes.iter();
    mistakes.map(ToString::to_string).collect()
}

fn card<'i>(inventory: &'i Inventory, id: &str) -> &'i Identity {
    inventory.identity(&IdentityId::new(id)).unwrap()
}

fn scopes(card: &Identity) -> Vec<(&str, Option<Level>)> {
    let scopes = card.scopes.iter();
    scopes.map(|s| (s.name.raw(), s.level)).collect()
}

#[test]
fn a_catalog_as_it_lies_in_repositories_is_read_document_by_document() {
    let text = r"# of the payments team
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: checkout
  annotations:
    stanch/identity: lab:svc-co
    stanch/criticality: high
spec:
  type: service
  owner: payments
  dependsOn:
    - resource:ledger
---
apiVersion: backstage.io/v1alpha1
kind: Resource
metadata: {name: ledger
---
apiVersion: backstage.io/v1alpha1
kind: API
metadata:
  name: psp
  annotations:
    stanch/criticality: enormous
--- # the team itself
apiVersion: backstage.io/v1alpha1
kind: Group
metadata:
  name: payments
spec:
  profile: {displayName: Payments, email: pay@example.org}
";
    let inventory = read(&[("catalog-info.yaml", text)]);
    let co = card(&inventory, "lab:svc-co");
    assert_eq!(co.technical_owner, Some("Payments".into()));
    assert_eq!(co.contact, Some("pay@example.org".into()));
    let told = told(&inventory);
    let says = |place: &str, what: &str| {
        let line = told.iter().find(|t| t.starts_with(place));
        assert!(line.is_some_and(|l| l.contains(what)), "{told:#?}");
    };
    says("catalog-info.yaml:18", "is no YAML that can be read");
    says("catalog-info.yaml:19", "`enormous` is none of");
    // An address tells by what it answers, and kubectl puts its list into one document.
    let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ServiceAccount\n  metadata:\n    name: builder\n    namespace: ci\n";
    let inventory = read(&[("https://cluster.example/list", list)]);
    assert_eq!(
        inventory.identities().len(),
        1,
        "{:?}",
        self::told(&inventory)
    );
}

#[test]
fn a_backstage_catalog_gives_teams_owners_and_edges() {
    let entity = |kind: &str,
                  name: &str,
                  annotations: serde_json::Value,
                  spec: serde_json::Value| {
        json!({ "apiVersion": "backstage.io/v1alpha1", "kind": kind,
            "metadata": { "name": name, "namespace": "default", "annotations": annotations }, "spec": spec })
    };
    let text = json!([
        entity("Component", "Checkout", json!({"stanch/identity": "aws:arn:aws:iam::1:role/co, lab:svc-co", "stanch/criticality": "high"}),
            json!({"type": "service", "owner": "payments", "dependsOn": ["resource:ledger"], "consumesApis": ["psp"]})),
        entity("Resource", "ledger", json!({}), json!({"type": "database", "owner": "user:alice"})),
        entity("Resource", "deploy-bot", json!({}), json!({"type": "service-account", "owner": "nobody"})),
        entity("API", "psp", json!({"stanch/criticality": "enormous"}), json!({"owner": "group:default/payments"})),
        entity("Group", "payments", json!({}), json!({"profile": {"displayName": "Payments", "email": "pay@example.org"}})),
        entity("User", "alice", json!({}), json!({"profile": {"displayName": "Alice"}})),
        {"apiVersion": "backstage.io/v1alpha1", "kind": "Component", "metadata": {}},
    ]);
    let text = serde_json::to_string_pretty(&text).unwrap();
    let inventory = read(&[("catalog.json", &text)]);
    let co = card(&inventory, "lab:svc-co");
    assert_eq!(co.technical_owner, Some("Payments".into()));
    assert_eq!(
        (&co.workload, &co.contact),
        (&Some("Checkout".into()), &Some("pay@example.org".into()))
    );
    let bot = card(&inventory, "backstage:resource:default/deploy-bot");
    assert_eq!(bot.kind, IdentityKind::ServiceAccount);
    let now: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
    let reasons: Vec<String> = inventory
        .flags(bot, now)
        .into_iter()
        .map(|f| f.reason)
        .collect();
    assert_eq!(
        reasons,
        ["technical owner `group:default/nobody` is no declared team or person"]
    );
    assert_eq!(inventory.flags(co, now), []);
    let node = |id: &str| inventory.graph().node(&NodeId::new(id)).unwrap();
    assert_eq!(node("resource:default/ledger").owner, Some("Alice".into()));
    let impact = inventory.graph().impact(&NodeId::new("lab:svc-co"));
    assert_eq!(
        inventory
            .graph()
            .ids(&impact)
            .map(NodeId::as_str)
            .collect::<Vec<_>>(),
        ["component:default/checkout"]
    );
    let impact = inventory
        .graph()
        .impact(&NodeId::new("resource:default/ledger"));
    assert!(
        inventory
            .graph()
            .ids(&impact)
            .any(|n| n.as_str() == "component:default/checkout")
    );
    let told = told(&inventory);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told.iter().any(|t| t.contains("`enormous` is none of")),
        "{told:?}"
    );
    assert!(
        told.iter()
            .any(|t| t.contains("needs `kind` and `metadata.name`")),
        "{told:?}"
    );
}

#[test]
fn kubernetes_service_accounts_have_the_roles_that_are_bound_to_them() {
    let meta = |name: &str| {
        json!({ "name": name, "namespace": "pay", "uid": format!("uid-{name}"), "creationTimestamp": "2025-01-01T00:00:00Z",
        "annotations": { "eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/x" } })
    };
    let binding = |kind: &str,
                   name: &str,
                   role: (&str, &str),
                   account: &str,
                   namespace: Option<&str>| {
        json!({ "kind": kind,
        "metadata": { "name": name, "namespace": namespace }, "roleRef": { "kind": role.0, "name": role.1 },
        "subjects": [{ "kind": "ServiceAccount", "name": account, "namespace": "pay" }, { "kind": "User", "name": "bob" }] })
    };
    let text = json!({ "apiVersion": "v1", "kind": "List", "items": [
        { "apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta("robot"), "secrets": [{ "name": "robot-token" }] },
        binding("ClusterRoleBinding", "b1", ("ClusterRole", "cluster-admin"), "robot", None),
        binding("RoleBinding", "b2", ("Role", "secret-reader"), "robot", Some("pay")),
        binding("RoleBinding", "b3", ("ClusterRole", "edit"), "robot", Some("test")),
        binding("RoleBinding", "b4", ("Role", "unheard-of"), "gone", Some("pay")),
        { "kind": "Role", "metadata": { "name": "secret-reader", "namespace": "pay" }, "rules": [{ "verbs": ["get"], "resources": ["secrets"] }] },
    ]}).to_string();
    let inventory = read(&[("k8s.json", &text)]);
    let robot = card(&inventory, "kubernetes:system:serviceaccount:pay:robot");
    assert_eq!(
        scopes(robot),
        [
            ("cluster-admin", Some(Level::Admin)),
            ("secret-reader in pay", Some(Level::SecretReading)),
            ("edit in test", Some(Level::SecretReading)),
        ]
    );
    assert!(robot.scopes.iter().all(|s| s.privileged));
    assert_eq!(robot.credentials[0].id.raw(), "pay/robot-token");
    let exposure = inventory.graph().exposure(&NodeId::from(&robot.id));
    assert!(
        inventory
            .graph()
            .ids(&exposure)
            .any(|n| n.as_str() == "aws:arn:aws:iam::1:role/x")
    );
    assert_eq!(
        told(&inventory),
        ["k8s.json:1: binding `b4` names service account `pay/gone`, which is not in the list"]
    );
}

#[test]
fn who_may_become_an_aws_role_is_drawn() {
    let role = |name: &str, principal: serde_json::Value, action: &str| {
        json!({ "RoleName": name, "Arn": format!("arn:aws:iam::1:role/{name}"),
            "AssumeRolePolicyDocument": { "Statement": [{ "Effect": "Allow", "Action": action, "Principal": principal }] } })
    };
    let user = |name: &str, resource: serde_json::Value| {
        json!({ "UserName": name, "Arn": format!("arn:aws:iam::1:user/{name}"), "UserPolicyList": [{ "PolicyName": "p",
            "PolicyDocument": { "Statement": [{ "Effect": "Allow", "Action": "sts:Assume*", "Resource": resource }] } }] })
    };
    let root = json!({ "AWS": "arn:aws:iam::1:root" });
    let details = json!({
        "UserDetailList": [
            user("one", json!("arn:aws:iam::1:role/deploy")),
            user("all", json!(["arn:aws:iam::1:role/*"])),
            user("other", json!("arn:aws:iam::1:role/elsewhere")),
            { "UserName": "grouped", "Arn": "arn:aws:iam::1:user/grouped", "GroupList": ["admins"] },
        ],
        "GroupDetailList": [{ "GroupName": "admins", "AttachedManagedPolicies": [
            { "PolicyName": "AdministratorAccess", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess" }] }],
        "RoleDetailList": [
            role("deploy", root.clone(), "sts:AssumeRole"),
            role("tagged", root, "sts:TagSession"),
            role("partner", json!({ "AWS": ["999", "arn:aws:sts::1:assumed-role/deploy/x"] }), "sts:AssumeRole"),
            role("ci", json!({ "Federated": "arn:aws:iam::1:oidc-provider/token.example.org" }), "sts:AssumeRoleWithWebIdentity"),
            role("open", json!("*"), "*"),
        ],
    });
    let inventory = read(&[("details.json", &details.to_string())]);
    assert!(told(&inventory).is_empty(), "{:?}", told(&inventory));
    let graph = inventory.graph();
    let reaches = |from: &str| -> Vec<String> {
        let found = graph.exposure(&NodeId::new(format!("aws:{from}")));
        let names = graph.ids(&found).map(|id| id.as_str().to_owned());
        let short = names.filter_map(|id| Some(id.split_once(":role/")?.1.to_owned()));
        let mut short: Vec<String> = short.collect();
        short.sort();
        short
    };
    let both = ["deploy", "partner"];
    assert_eq!(
        reaches("arn:aws:iam::1:user/one"),
        both,
        "and through it what trusts it"
    );
    assert_eq!(reaches("arn:aws:iam::1:user/all"), both);
    assert_eq!(reaches("arn:aws:iam::1:user/grouped"), both);
    assert_eq!(reaches("arn:aws:iam::1:user/other"), [""; 0]);
    assert_eq!(reaches("account/999"), ["partner"]);
    assert_eq!(
        reaches("arn:aws:iam::1:oidc-provider/token.example.org"),
        ["ci"]
    );
    assert_eq!(reaches("anybody"), ["open"]);
}

#[test]
fn aws_users_and_roles_have_policies_trusts_tags_and_keys() {
    let details = json!({
        "UserDetailList": [{ "UserName": "ci", "UserId": "AIDAEXAMPLEEXAMPLE01", "Arn": "arn:aws:iam::1:user/ci",
            "CreateDate": "2024-01-01T00:00:00+00:00", "GroupList": ["deployers", "lost"],
            "AttachedManagedPolicies": [{ "PolicyName": "own", "PolicyArn": "arn:aws:iam::1:policy/own" }],
            "Tags": [{ "Key": "Owner", "Value": "platform" }, { "Key": "env", "Value": "production" }] }],
        "RoleDetailList": [{ "RoleName": "deploy", "RoleId": "AROAEXAMPLEEXAMPLE01", "Arn": "arn:aws:iam::1:role/x/deploy",
            "RoleLastUsed": { "LastUsedDate": "2026-01-01T00:00:00+00:00" },
            "InstanceProfileList": [{ "Arn": "arn:aws:iam::1:instance-profile/deploy" }],
            "AssumeRolePolicyDocument": { "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": { "AWS": "arn:aws:iam::1:user/ci", "Service": ["ec2.amazonaws.com"] } }] },
            "AttachedManagedPolicies": [{ "PolicyName": "AdministratorAccess", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess" }] },
            { "RoleName": "nameless" }],
        "GroupDetailList": [{ "GroupName": "deployers", "GroupPolicyList": [{ "PolicyName": "inline",
            "PolicyDocument": { "Statement": { "Effect": "Allow", "Action": "secretsmanager:GetSecretValue" } } }] }],
        "Policies": [{ "Arn": "arn:aws:iam::1:policy/own", "PolicyVersionList": [
            { "IsDefaultVersion": false, "Document": { "Statement": [{ "Effect": "Allow", "Action": "*" }] } },
            { "IsDefaultVersion": true, "Document": { "Statement": [{ "Effect": "Allow", "Action": ["s3:Get*"] }] } }] }],
    }).to_string();
    let report = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date\n\
        <root_account>,arn:aws:iam::1:root,2020-01-01T00:00:00+00:00,not_supported,no_information,not_supported,false,N/A,N/A,false,N/A,N/A\n\
        ci,arn:aws:iam::1:user/ci,2024-01-01T00:00:00+00:00,false,N/A,N/A,true,2024-02-02T00:00:00+00:00,2026-11-01T00:00:00+00:00,false,N/A,N/A\n\
        short,row\n";
    let inventory = read(&[("details.json", &details), ("report.csv", report)]);
    let ci = card(&inventory, "aws:arn:aws:iam::1:user/ci");
    assert_eq!(
        scopes(ci),
        [
            ("inline through group deployers", Some(Level::SecretReading)),
            ("own", Some(Level::Read))
        ]
    );
    assert_eq!(
        (&ci.technical_owner, &ci.environment),
        (&Some("platform".into()), &Some("production".into()))
    );
    assert_eq!(ci.kind, IdentityKind::ServiceAccount);
    assert_eq!(ci.credentials.len(), 1);
    assert_eq!(
        (ci.credentials[0].id.raw(), ci.credentials[0].enabled),
        ("ci/access_key_1", Some(true))
    );
    let role = card(&inventory, "aws:arn:aws:iam::1:role/x/deploy");
    assert_eq!(role.grants.len(), 2);
    assert_eq!(scopes(role), [("AdministratorAccess", Some(Level::Admin))]);
    let reach = inventory.graph().exposure(&NodeId::from(&ci.id));
    assert!(
        inventory
            .graph()
            .ids(&reach)
            .any(|n| n.as_str() == role.id.as_str())
    );
    assert_eq!(
        card(&inventory, "aws:arn:aws:iam::1:root").kind,
        IdentityKind::Human
    );
    let subject = crate::domain::alert::Subject {
        provider: "aws".into(),
        native_id: "arn:aws:sts::1:assumed-role/deploy/i-1".into(),
        kind: IdentityKind::RoleSession,
        name: None,
    };
    assert_eq!(inventory.matches(&subject)[0].reason, Reason::Role);
    let told = told(&inventory);
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(
        told[0].contains("needs `Arn` and `RoleName`")
            && told[1].contains("`ci` is in group `lost`"),
        "{told:?}"
    );
    assert_eq!(told[2], "report.csv:4: the row has 2 cells, the header 12");
}

#[test]
fn google_accounts_have_keys_roles_and_delegations() {
    let lists = [
        json!([{ "email": "d@l.iam.gserviceaccount.com", "uniqueId": "101", "displayName": "Deployer", "projectId": "l",
            "name": "projects/l/serviceAccounts/d@l.iam.gserviceaccount.com" },
            { "email": "r@l.iam.gserviceaccount.com", "uniqueId": "102", "disabled": true, "name": "projects/l/serviceAccounts/r@l.iam.gserviceaccount.com" }]),
        json!([{ "name": "projects/l/serviceAccounts/d@l.iam.gserviceaccount.com/keys/k1", "keyType": "USER_MANAGED",
            "validAfterTime": "2025-01-01T00:00:00Z", "validBeforeTime": "9999-12-31T23:59:59Z" },
            { "name": "projects/l/serviceAccounts/d@l.iam.gserviceaccount.com/keys/k2", "keyType": "SYSTEM_MANAGED" }]),
        json!({ "bindings": [{ "role": "roles/editor", "members": ["serviceAccount:d@l.iam.gserviceaccount.com", "user:a@example.org"] }], "etag": "x", "version": 1 }),
        json!([{ "name": "//iam.googleapis.com/projects/l/serviceAccounts/102", "assetType": "iam.googleapis.com/ServiceAccount",
            "iamPolicy": { "bindings": [{ "role": "roles/iam.serviceAccountTokenCreator", "members": ["serviceAccount:d@l.iam.gserviceaccount.com"] }] } }]),
    ];
    let text: Vec<String> = lists.iter().map(ToString::to_string).collect();
    let inventory = read(&[("gcloud.json", &text.join("\n"))]);
    assert_eq!(told(&inventory), Vec::<String>::new());
    let d = card(&inventory, "gcp:d@l.iam.gserviceaccount.com");
    assert_eq!(
        scopes(d),
        [
            ("roles/editor", Some(Level::Write)),
            (
                "roles/iam.serviceAccountTokenCreator on 102",
                Some(Level::Admin)
            )
        ]
    );
    assert_eq!((d.credentials.len(), d.credentials[0].expires), (1, None));
    let r = card(&inventory, "gcp:r@l.iam.gserviceaccount.com");
    assert_eq!((r.enabled, r.grants.len()), (Some(false), 1));
    let reach = inventory.graph().exposure(&NodeId::from(&d.id));
    assert!(
        inventory
            .graph()
            .ids(&reach)
            .any(|n| n.as_str() == r.id.as_str())
    );
}

#[test]
fn entra_service_principals_have_secrets_roles_and_owners() {
    let principal = |id: &str, extra: serde_json::Value| {
        let mut value = json!({ "id": id, "appId": "A0A0A0A0-0000-4000-8000-00000000000A", "displayName": format!("app {id}"),
            "servicePrincipalType": "Application", "accountEnabled": true, "appRoles": [{ "id": "R1", "value": "Mail.ReadWrite" }] });
        value
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        value
    };
    let pages = [
        json!({ "@odata.context": "x", "value": [principal("p1", json!({
            "passwordCredentials": [{ "keyId": "pw1", "hint": "abc", "endDateTime": "2027-01-01T00:00:00Z" }],
            "appRoleAssignments": [{ "appRoleId": "r1", "principalId": "p1", "resourceId": "x", "resourceDisplayName": "Graph" }] }))] }),
        json!({ "value": [principal("p1", json!({ "owners": [{ "displayName": "Bob", "mail": "bob@example.org" }] }))] }),
        json!({ "value": [{ "id": "c1", "clientId": "p1", "consentType": "AllPrincipals", "scope": "User.Read Mail.Send" },
            { "appRoleId": "r1", "principalId": "nobody", "resourceId": "x" }] }),
    ];
    let text: Vec<String> = pages.iter().map(ToString::to_string).collect();
    let inventory = read(&[("entra.json", &text.join("\n"))]);
    let p = card(&inventory, "entra:p1");
    assert_eq!(scopes(p), [("Mail.ReadWrite", Some(Level::Write))]);
    assert_eq!(
        (&p.technical_owner, &p.contact),
        (&Some("Bob".into()), &Some("bob@example.org".into()))
    );
    assert_eq!(p.grants[0].scopes.len(), 2);
    assert!(
        !format!("{p:?}").contains("abc"),
        "a hint is a part of the secret"
    );
    assert_eq!(
        told(&inventory),
        ["entra.json:3: an application role is given to `nobody`, which is not in the list"]
    );
}

#[test]
fn tables_and_lines_give_cards_too() {
    let table = "id,name,technical_owner,scopes,credential.id,credential.kind,credential.last_used,param.client_id,enabled,colour\n\
        lab:a,a,Payments,deploy=write; admin=admin,k1,api_key,2026-01-01T00:00:00Z,a,yes,red\n\
        lab:a,a,,,k2,api_key,,,,\n\
        lab:b,b,,,k3,api_key,yesterday,,,\n\
        lab:c,c,,,,,,,perhaps,\n";
    let lines =
        "{\"id\":\"lab:d\",\"name\":\"d\"}\n{\"id\":\"lab:e\",\"nam\":\"e\"}\n{\"id\":\"lab:f\"\n";
    let inventory = read(&[("t.csv", table), ("l.jsonl", lines)]);
    let a = card(&inventory, "lab:a");
    assert_eq!(
        scopes(a),
        [
            ("deploy", Some(Level::Write)),
            ("admin", Some(Level::Admin))
        ]
    );
    assert_eq!(
        (
            a.credentials.len(),
            a.enabled,
            a.params["client_id"].as_str()
        ),
        (2, Some(true), "a")
    );
    let ids: Vec<&str> = inventory
        .identities()
        .keys()
        .map(IdentityId::as_str)
        .collect();
    assert_eq!(ids, ["lab:a", "lab:d"]);
    let told = told(&inventory);
    assert_eq!(told.len(), 5, "{told:?}");
    assert!(
        told[0].starts_with("t.csv:1: column `colour` is unknown"),
        "{told:?}"
    );
    assert!(
        told[1].starts_with("t.csv:4: ") && told[1].contains("`yesterday` is not a time"),
        "{told:?}"
    );
    assert_eq!(told[2], "t.csv:5: enabled: `perhaps` is neither yes nor no");
    assert!(
        told[3].starts_with("l.jsonl:2: unknown field `nam`"),
        "{told:?}"
    );
    assert!(told[4].starts_with("l.jsonl:3: EOF"), "{told:?}");
}

#[test]
fn what_is_no_inventory_is_called_so() {
    for (name, text, want) in [
        ("a.yaml", "kind: [List", "is no YAML that can be read"),
        ("a", "<html><title>Sign in</title>", "a login page, perhaps"),
        ("a.csv", "x,y\n1,2\n", "no column `id`"),
        (
            "a.json",
            "[{\"foo\":1,\"bar\":2}]",
            "an entry with foo, bar is of no known format",
        ),
        ("a.json", "[1,2]", "an entry must be an object"),
    ] {
        let told = told(&read(&[(name, text)]));
        assert!(told[0].contains(want), "{told:?}");
    }
}

/// Small documents of every vendor, for damaging them.
fn samples() -> Vec<(&'static str, String)> {
    let aws = json!({ "UserDetailList": [{ "UserName": "u", "UserId": "AIDA", "Arn": "arn:aws:iam::1:user/u", "GroupList": ["g"],
        "Tags": [{ "Key": "owner", "Value": "t" }] }], "RoleDetailList": [{ "RoleName": "r", "Arn": "arn:aws:iam::1:role/r",
        "AssumeRolePolicyDocument": "%7B%22Statement%22%3A%5B%5D%7D", "RolePolicyList": [{ "PolicyName": "p", "PolicyDocument": {
        "Statement": [{ "Effect": "Allow", "Action": ["s3:*"] }] } }] }], "GroupDetailList": [{ "GroupName": "g" }] });
    let kubernetes = json!({ "kind": "List", "items": [{ "kind": "ServiceAccount", "metadata": { "name": "a", "namespace": "n" } },
        { "kind": "RoleBinding", "metadata": { "name": "b", "namespace": "n" }, "roleRef": { "kind": "ClusterRole", "name": "view" },
        "subjects": [{ "kind": "ServiceAccount", "name": "a" }] }] });
    let google = json!([{ "email": "e@x.iam.gserviceaccount.com", "uniqueId": "1" }, { "name": "p/serviceAccounts/1/keys/k" },
        { "resource": "//p/serviceAccounts/1", "policy": { "bindings": [{ "role": "roles/owner", "members": ["serviceAccount:e@x.iam.gserviceaccount.com"] }] } }]);
    let entra = json!({ "value": [{ "id": "p", "appId": "A", "appRoles": [{ "id": "R", "value": "Mail.Read" }], "owners": [{ "mail": "m" }],
        "appRoleAssignments": [{ "appRoleId": "R", "principalId": "p", "resourceId": "x" }] }] });
    let backstage = json!([{ "apiVersion": "backstage.io/v1alpha1", "kind": "Resource", "metadata": { "name": "r" },
        "spec": { "type": "api-key", "owner": "user:x", "dependsOn": ["a:b/c"] }, "relations": [{ "type": "dependsOn", "targetRef": "a:b/c" }] }]);
    let report = "user,arn,user_creation_time,password_enabled,access_key_1_active,access_key_1_last_rotated\nu,arn:aws:iam::1:user/u,x,true,true,2024-01-01T00:00:00Z\n";
    let json = [aws, kubernetes, google, entra, backstage].map(|v| ("a.json", v.to_string()));
    let mut all = Vec::from(json);
    all.push(("a.csv", report.to_owned()));
    all
}

#[test]
fn the_samples_have_no_mistakes_of_their_own() {
    for (name, text) in samples() {
        let inventory = read(&[(name, &text)]);
        assert!(!inventory.identities().is_empty(), "{text}");
        let lost = inventory.background().mistakes.iter();
        assert_eq!(lost.filter(|m| m.loss > Loss::None).count(), 0, "{text}");
    }
}

proptest! {
    #[test]
    fn damaged_lists_cost_entries_and_nothing_else(which in 0_usize..6, cuts in prop::collection::vec((any::<prop::sample::Index>(), "[\\[\\]{}\",:0a%é]?"), 1..6)) {
        let (name, mut text) = samples().remove(which);
        for (at, with) in cuts {
            let at = text.floor_char_boundary(at.index(text.len()));
            let end = text[at..].chars().next().map_or(at, |c| at + c.len_utf8());
            text.replace_range(at..end, &with);
        }
        let inventory = read(&[(name, &text)]);
        prop_assert!(inventory.identities().len() <= 3);
        for card in inventory.identities().values() {
            inventory.flags(card, Timestamp::UNIX_EPOCH);
        }
    }

    #[test]
    fn no_text_is_too_strange(text in "[\\[\\]{}\",:=\\\\a-d\n\\. é-]{0,200}", name in prop::sample::select(vec!["a.toml", "a.json", "a.csv", "a"])) {
        let inventory = read(&[(name, &text)]);
        prop_assert!(inventory.background().mistakes.len() <= reading::MOST_MISTAKES + 1);
    }

    #[test]
    fn a_cut_off_list_gives_what_came_before(cut in 0_usize..400) {
        let text = serde_json::to_string_pretty(&json!({ "identity": [{ "id": "lab:a" }, { "id": "lab:b", "name": "é" }, { "id": "lab:c",
            "credential": [{ "id": "k", "kind": "k" }] }], "edge": [{ "from": "lab:a", "kind": "depends_on", "to": "lab:b" }] })).unwrap();
        let cut = text.floor_char_boundary(cut.min(text.len()));
        let inventory = read(&[("a.json", &text[..cut])]);
        let whole = text[..cut].matches("\n    }").count();
        prop_assert!(inventory.identities().len() <= 3);
        prop_assert!(inventory.identities().len() + 1 >= whole.min(3));
    }
}
