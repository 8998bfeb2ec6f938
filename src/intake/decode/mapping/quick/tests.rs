use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::intake::decode::mapping::values::from_json;
use crate::intake::json::parse;
use crate::jq::Filter;

/// Runs both ways; whether the quick one knew the filter, and whether it went through.
fn both(source: &str, input: &str, var: &str) -> (bool, bool) {
    let (input, var) = (parse(input).unwrap(), [parse(var).unwrap()]);
    let Some(quick) = Quick::read(source, &["v"]) else {
        return (false, false);
    };
    let Some(outputs) = quick.run(&input, &var) else {
        return (true, false);
    };
    let filter = Filter::compile(source, &["v"]).unwrap();
    let mut theirs = Vec::new();
    let ran = filter.find(&from_json(&input), &[from_json(&var[0])], |out| {
        theirs.push(out);
        None::<()>
    });
    assert_eq!(ran, Ok(None), "{source}");
    assert_eq!(outputs, theirs, "{source}");
    (true, true)
}

const INPUT: &str = r#"{"a":{"b":"x","c":[1,"two",null,{"d":true}],"e f":2.5},"n":7,"t":"T1078.004 and more","z":null,
    "l":["p","q"],"f":false,"m":[],"o":{"k":"v","w":["s"]}}"#;

#[rstest]
#[case(".")]
#[case(".a.b")]
#[case(".a.\"e f\"")]
#[case(".a[\"e f\"]")]
#[case(".[\"a\"].b")]
#[case(".a.c[1]")]
#[case(".a.c[9]")]
#[case(".a | .b, .x, .c")]
#[case(".a | objects | .b, .x")]
#[case(".z | objects | .b")]
#[case(".l | .[]")]
#[case(".l[]")]
#[case(".a.c | arrays | .[] | strings")]
#[case(".a.c[] | numbers")]
#[case(".l | strings, (arrays | .[])")]
#[case(".t | strings, (arrays | .[])")]
#[case("(.z // .a) | .b")]
#[case(".z // .f // \"none\"")]
#[case("(.l[] | select(. == \"r\")) // .n")]
#[case(".x.y.z")]
#[case("select(.n) | .t")]
#[case("select(.z) | .t")]
#[case("select(.t != \"x\") | .n")]
#[case("if .z then 1 elif .n then \"two\" else empty end")]
#[case("if .z then 1 end | .n")]
#[case("if .f == false and .n > 6 or .z then \"yes\" else \"no\" end")]
#[case("if (.m | length) > 0 then .m else .n end")]
#[case("\"\\(.a.b)/\\(.x // \"\")/\\(.n)/\\(.f)\"")]
#[case("\"\"")]
#[case("\"agent\"")]
#[case("[.t, .z, .n] | map(strings) | join(\" \")")]
#[case("[.l[] | select(. != \"p\")] | length")]
#[case("[]")]
#[case(".o | .[] | strings")]
#[case(".n | tostring | select(. != \"null\")")]
#[case(".t | select(startswith(\"T1\")) | split(\" \") | .[0]")]
#[case(".o.k | select(.) | {id: ., kind: \"access_key\"}")]
#[case("{id: .n, name: (.z // .t)} | .name")]
#[case("$v | objects | .k")]
#[case("(.type // $v.k // .n)")]
#[case("(.t, $v.k, .z) | select(.) | select(. != \"null\")")]
#[case("[.a.b, ((.l // []) | .[])] | map(strings) | join(\"/\")")]
#[case("{} // 1, .n")]
#[case("not")]
#[case(".z | not")]
#[case(". as $x | $x")]
#[case(".t as $x | .n, $x")]
#[case(".n, .l as $x | $x[0], .t")]
#[case(".l[] as $x | .t as $y | \"\\($x)-\\($y)\"")]
#[case(".t as $v | $v")]
#[case("(.t as $v | $v), $v")]
#[case("[.l[] as $x | select($x != \"p\") | $x] | length")]
#[case("(.z // .t) as $id | select($id) | {id: $id, name: .z}")]
#[case("\"b\" as $k | .a[$k]")]
#[case("\"k\" as $k | .o[$k | split(\"-\") | join(\"_\")]")]
#[case(".a[(\"b\", 1) | strings]")]
#[case("(.x // {}) | .[] | .y")]
#[case("{b: .n, a: .t} | .[]")]
#[case("keys")]
#[case(".o | keys | .[0]")]
#[case("(.x // {}) | keys | .[0]")]
#[case(".l[1:]")]
#[case(".l[9:] | length")]
#[case(".t | split(\" \") | .[1:] | join(\" \")")]
#[case("[.t, \"é\", \"z\", .a.b, \"Z\", .t] | unique")]
#[case("[] | unique | .[]")]
#[case("[.l[], \"p\"] | unique | select(length == 2) | .[0]")]
fn the_quick_way_says_what_the_interpreter_says(#[case] source: &str) {
    let ran = both(source, INPUT, r#"{"k":"log"}"#);
    assert_eq!(ran, (true, true), "{source}");
}

#[rstest]
#[case::an_error(".n.x")]
#[case::nothing_to_go_through(".z[]")]
#[case::a_fraction_in_words(".a.\"e f\" | tostring")]
#[case::several("\"\\(.l[])\"")]
#[case::lists_compared(".l == .m")]
#[case::nothing_to_join(".m | join(\"/\")")]
#[case::keys_of_a_list(".l | keys")]
#[case::a_part_of_a_text(".t[1:]")]
#[case::a_key_that_is_none("\"x\" as $k | .l[.n]")]
#[case::several_keys(".a[.l[]]")]
#[case::different_things("[.n, .t] | unique")]
#[case::a_part_of_a_number("select(.a.\"e f\" > 2)")]
fn what_is_not_plain_is_left_to_the_interpreter(#[case] source: &str) {
    assert_eq!(both(source, INPUT, "null"), (true, false));
}

#[rstest]
#[case("..")]
#[case(".a?")]
#[case(".n + 1")]
#[case(".n - 1")]
#[case("$other")]
#[case(".[-1]")]
#[case(".[:1]")]
#[case(".[1:2]")]
#[case(". as [$x] | $x")]
#[case(". as $x")]
#[case(".n == .t as $x | $x")]
#[case(".z // .t as $x | $x")]
#[case("(. as $x | $x) | $x")]
#[case(".a |= 1")]
#[case("\"\\n\"")]
#[case(".a .b")]
#[case("1.5")]
#[case("reduce .l[] as $x (0; 1)")]
#[case("strings(1)")]
#[case(".n >= 1")]
#[case("{(.t): 1}")]
#[case("")]
#[case("if .a then .b")]
fn other_filters_are_not_known(#[case] source: &str) {
    assert!(Quick::read(source, &["v"]).is_none(), "{source}");
}

#[test]
fn filters_are_nested_only_so_deep() {
    let deep = format!("{}.a{}", "(".repeat(40), ")".repeat(40));
    assert!(Quick::read(&deep, &[]).is_none());
}

fn filter() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(".".to_owned()),
        "\\.[ab](\\.[ab])?",
        Just("$v.a".to_owned()),
        "\"[ab]?\"",
        "[0-3]",
        Just("null".to_owned()),
        Just("objects".to_owned()),
        Just("strings".to_owned()),
        Just("arrays".to_owned()),
        Just("length".to_owned()),
        Just("tostring".to_owned()),
        Just("not".to_owned()),
        Just("empty".to_owned()),
        Just(".[]".to_owned()),
        Just(".[1]".to_owned()),
        Just(".[1:]".to_owned()),
        Just("unique".to_owned()),
        Just("keys".to_owned()),
        Just("$v".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        let three = (inner.clone(), inner.clone(), inner.clone());
        let sign = prop_oneof![
            Just("|"),
            Just(","),
            Just("//"),
            Just("=="),
            Just("!="),
            Just("and"),
            Just("or"),
            Just("<"),
            Just(">")
        ];
        prop_oneof![
            (two.clone(), sign).prop_map(|((a, b), sign)| format!("{a} {sign} {b}")),
            inner.clone().prop_map(|a| format!("({a})")),
            inner.clone().prop_map(|a| format!("[{a}]")),
            inner.clone().prop_map(|a| format!(".[{a}]")),
            two.clone().prop_map(|(a, b)| format!("{a} as $v | {b}")),
            two.clone()
                .prop_map(|(a, b)| format!("({a}) as $x | {b}, $x")),
            inner.clone().prop_map(|a| format!("select({a})")),
            inner.clone().prop_map(|a| format!("map({a})")),
            inner.clone().prop_map(|a| format!("\"<\\({a})>\"")),
            inner.clone().prop_map(|a| format!("{{a: ({a})}}")),
            inner.clone().prop_map(|a| format!("({a} // {{}})")),
            two.clone()
                .prop_map(|(a, b)| format!("{{b: ({a}), a: ({b})}} | .[]")),
            three.prop_map(|(a, b, c)| format!("if {a} then {b} else {c} end")),
            two.prop_map(|(a, b)| format!("if {a} then {b} end")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn both_ways_say_the_same(
        source in filter(),
        input in r#"\{"a":(1|"x"|null|true|\{"b":[12]\}|\{"a":"y","b":false\}|\[1,"z",null\]|\[\])(,"b":(true|\{"a":null\}|2\.5|"b"))?\}|\[1,"a"\]|"a"|null|0"#,
        var in r#"\{"a":(1|"x"|null)\}|null"#,
    ) {
        // `1 == 2 == 3` is none.
        if Filter::compile(&source, &["v"]).is_ok() {
            both(&source, &input, &var);
        }
    }

    #[test]
    fn reading_takes_anything(source in "[.a-c\\[\\]{}()|,/\"\\\\$v=!<> 0-9]{0,24}") {
        let _ = Quick::read(&source, &["v"]);
    }
}
