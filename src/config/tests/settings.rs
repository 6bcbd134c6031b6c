//! The engine's settings, and the files that hold them.

use super::*;

#[test]
fn the_later_source_of_a_setting_wins_and_print_says_which() {
    let site = whole_site();
    site.write(
        "loopline.toml",
        "data = \"from-file\"\nsite_name = \"From File\"\nlog = \"json\"\n[limits]\nreader_workers = 3\n",
    );
    let sources = SettingsSources {
        environment: vec![
            ("LOOPLINE_SITE_NAME".into(), "From Environment".into()),
            ("LOOPLINE_LIMITS_READER_PAGES_MAX".into(), "50".into()),
            ("LOOPLINE_DATA".into(), "from-environment".into()),
        ],
        flags: vec![("data".into(), "from-flag".into())],
        ..site.sources()
    };
    let (config, effective) = Config::load_with_origins(&sources).unwrap();
    let settings = &config.settings;
    assert_eq!(settings.data, site.path("from-flag"));
    assert_eq!(settings.site_name, "From Environment");
    assert_eq!(settings.log, LogFormat::Json);
    assert_eq!(settings.limits.reader_workers, 3);
    assert_eq!(settings.limits.reader_pages_max, 50);
    let text = effective.to_toml();
    let line = |key: &str| text.lines().find(|line| line.starts_with(key)).unwrap().to_owned();
    assert!(line("data =").ends_with("# flag --data"), "{text}");
    assert!(line("site_name").ends_with("# environment variable LOOPLINE_SITE_NAME"), "{text}");
    assert!(line("reader_workers").contains("loopline.toml:5:18"), "{text}");
    assert!(line("delivery_attempts_max").ends_with("# default"), "{text}");
    assert!(text.contains("[channel.ehr.acknowledge]\nmode = \"auto\""), "what is left out is shown with its default: {text}");
    text.parse::<toml::Table>().expect("what is printed is TOML");
}

#[test]
fn what_is_printed_is_toml_also_where_a_key_has_dots_and_quotes() {
    let site = Site::new(&[
        ("channels/site/directory.toml", DIRECTORY),
        ("channels/fax-out.toml", FAX_OUT),
        (
            "channels/ehr.toml",
            "[inbound.mllp]\nlisten = \"127.0.0.1:2575\"\n[route.specialty.\"Heart. And \\\"more. of it\\\" etc.\"]\nthrough = \"fax-out\"\nto = \"gut\"\n\
             [map]\n\"referring.identifiers.0.value\" = [\"PRD-7.1\"]\n",
        ),
    ]);
    let (_, effective) = Config::load_with_origins(&site.sources()).unwrap();
    let text = effective.to_toml();
    let printed: toml::Table = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
    let channel = &printed["channel"]["ehr"];
    assert_eq!(channel["route"]["specialty"]["Heart. And \"more. of it\" etc."]["to"].as_str(), Some("gut"), "{text}");
}

#[test]
fn a_log_filter_is_levels_and_levels_by_module() {
    let told = |filter: &str| {
        let flags = vec![("log_filter".into(), filter.to_owned())];
        Config::load(&SettingsSources { flags, ..whole_site().sources() }).err().map(|errors| errors.mistakes()[0].to_string())
    };
    for filter in ["info", "WARN", "info,loopline=debug", "off, loopline::engine=trace"] {
        assert_eq!(told(filter), None, "{filter}");
    }
    for filter in ["inof", "!!", "info,", "info,loopline=loud", "loopline:debug", ""] {
        assert!(told(filter).is_some_and(|said| said.contains("is not a log filter")), "{filter}: {:?}", told(filter));
    }
}

#[test]
fn misspelt_variables_and_wrong_flags_are_refused() {
    let site = whole_site();
    let sources = SettingsSources {
        environment: vec![
            ("LOOPLINE_SITENAME".into(), "x".into()),
            ("LOOPLINE_TEST_POINT".into(), "3".into()),
            ("LOOPLINE_LOG_FILTER".into(), "\u{FFFD}".into()),
        ],
        flags: vec![("log".into(), "xml".into())],
        ..site.sources()
    };
    let errors = Config::load(&sources).unwrap_err().to_string();
    assert!(
        errors.contains("environment variable LOOPLINE_SITENAME: is no setting\n  help: did you mean LOOPLINE_SITE_NAME?"),
        "{errors}"
    );
    assert!(errors.contains("flag --log: log: \"xml\" is not known here"), "{errors}");
    assert!(errors.contains("environment variable LOOPLINE_LOG_FILTER: is not UTF-8"), "{errors}");
    assert!(errors.ends_with("3 mistakes in the configuration"), "{errors}");
}

#[test]
fn a_channels_folder_that_is_not_there_says_what_to_do() {
    let site = Site::new(&[]);
    assert_one(&site.mistakes(), &["channels: cannot read the channels folder", "--channels"]);
    assert!(Settings::load(&site.sources()).is_ok(), "settings alone need no channels");
}

#[test]
fn a_misspelt_file_of_the_site_is_not_silently_ignored() {
    let site = whole_site();
    site.write("channels/site/directry.toml", "");
    assert_one(&site.mistakes(), &["site/directry.toml", "did you mean directory.toml?"]);
}
