//! One component that attacks its host as the path says. Each path is one row of the table in
//! `README.md`, where it says what must come of it.
//!
//! What it tries and is refused is answered as text, so that a test sees that the guest went on.

mod again;
mod answer;
mod endless;
mod framing;
mod greedy;
mod noise;
mod outgoing;
mod sealed;
mod stores;

use std::collections::BTreeMap;

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

use crate::answer::told;

mod bindings {
    wit_bindgen::generate!({
        path: [
            "../../../wit/deps/keyvalue",
            "../../../wit/deps/config",
            "../../../wit/logging",
        ],
        inline: "
            package wattle:hostile;
            world guest {
                include wasi:keyvalue/imports@0.2.0-draft;
                import wasi:config/store@0.2.0-rc.1;
                import wasi:logging/logging@0.1.0-draft;
            }
        ",
        generate_all,
    });
}

struct Hostile;

wasip2::http::proxy::export!(Hostile);

impl Guest for Hostile {
    fn handle(request: IncomingRequest, to: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        attack(path, &Query::of(query), request, to);
    }
}

fn attack(path: &str, query: &Query, request: IncomingRequest, to: ResponseOutparam) {
    match path {
        "/hello" => told(to, "hello"),

        "/spin" => endless::spin(),
        "/spin-in-host-calls" => endless::spin_in_host_calls(),
        "/spin-on-a-ready-pollable" => endless::spin_on_a_ready_pollable(),
        "/sleep-for-ages" => endless::sleep_for_ages(),
        "/sleep-past-the-end-of-time" => endless::sleep_past_the_end_of_time(),
        "/poll-an-empty-list" => endless::poll_an_empty_list(),
        "/poll-one-thing-often" => told(to, &endless::poll_one_thing_often()),
        "/wait-for-the-client" => endless::wait_for_the_client(&request),
        "/config-without-end" => endless::config_without_end(),
        "/exit-well" => std::process::exit(0),
        "/exit-badly" => std::process::exit(1),
        "/panic" => panic!("as asked"),
        "/recurse" => told(to, &endless::recurse(0).to_string()),
        "/recurse-through-the-host" => told(to, &endless::recurse_through_the_host(0).to_string()),

        "/grow-to-4-gib" => told(to, &greedy::grow_to_4_gib()),
        "/grow-page-by-page" => told(to, &greedy::grow_page_by_page()),
        "/allocate-small" => greedy::allocate_small(),
        "/allocate-all-and-use-it" => told(to, &greedy::allocate_all_and_use_it()),
        "/a-million-fields" => greedy::a_million_fields(),
        "/a-hundred-thousand-pollables" => greedy::a_hundred_thousand_pollables(),
        "/fields-made-and-dropped" => greedy::fields_made_and_dropped(),
        "/all-random-bytes" => greedy::all_random_bytes(),
        "/all-insecure-random-bytes" => greedy::all_insecure_random_bytes(),
        "/random-without-end" => greedy::random_without_end(),
        "/all-zeroes-to-stdout" => greedy::all_zeroes_to_stdout(),
        "/all-of-stdin" => told(to, &greedy::all_of_stdin()),
        "/all-of-the-request" => told(to, &greedy::all_of_the_request(&request)),
        "/headers-without-end" => greedy::headers_without_end(),
        "/a-header-of-10-mib" => greedy::a_header_of_10_mib(),
        "/a-path-of-8-mib" => greedy::a_path_of_8_mib(),
        "/a-method-of-1-mib" => told(to, &greedy::a_method_of_1_mib()),

        "/no-answer" => {}
        "/outparam-dropped" => drop(to),
        "/answers-with-an-error" => framing::answers_with_an_error(to),
        "/body-never-begun" => framing::body_never_begun(to),
        "/body-never-finished" => framing::body_never_finished(to),
        "/body-dropped" => framing::body_dropped(to),
        "/body-without-end" => framing::body_without_end(to),
        "/empty-writes-without-end" => framing::empty_writes_without_end(to),
        "/all-zeroes-to-the-body" => framing::all_zeroes_to_the_body(to),
        "/a-write-of-10-mib" => framing::a_write_of_10_mib(to),
        "/64-mib" => framing::sixty_four_mib(to),
        "/length-too-long" => framing::length(to, &["100"], b"short"),
        "/length-too-short" => framing::length(to, &["5"], SMUGGLED),
        "/length-twice" => framing::length(to, &["5", "6"], b"hello"),
        "/length-negative" => framing::length(to, &["-5"], b"hello"),
        "/length-of-words" => framing::length(to, &["five"], b"hello"),
        "/body-of-a-204" => framing::body_of(to, 204),
        "/body-of-a-304" => framing::body_of(to, 304),
        "/status-101" => framing::body_of(to, 101),
        "/no-such-status" => told(to, &framing::no_such_status()),
        "/split-headers" => told(to, &framing::split_headers()),
        "/forbidden-headers" => told(to, &framing::forbidden_headers()),
        "/a-thousand-headers" => framing::a_thousand_headers(to),
        "/escapes-in-a-header" => told(to, &framing::escapes_in_a_header()),
        "/trap-in-the-body" => framing::in_the_body(to, framing::trap),
        "/exit-in-the-body" => framing::in_the_body(to, || std::process::exit(0)),
        "/spin-in-the-body" => framing::in_the_body(to, endless::spin),
        "/spin-after-the-answer" => framing::spin_after_the_answer(to),

        "/ask" => told(to, &outgoing::ask()),
        "/ask-strangely" => told(to, &outgoing::ask_strangely()),
        "/wait-no-time" => told(to, &outgoing::wait_no_time(query)),
        "/wait-for-ages" => told(to, &outgoing::wait_for_ages(query)),
        "/ten-thousand-at-once" => outgoing::ten_thousand_at_once(query),
        "/asked-and-given-up-without-end" => outgoing::asked_and_given_up_without_end(query),
        "/thirty-three-at-once" => told(to, &outgoing::thirty_three_at_once(query)),
        "/read-slowly" => outgoing::read_slowly(query, to),
        "/body-never-sent" => outgoing::body_never_sent(query),
        "/sends-less-than-declared" => told(to, &outgoing::sends_less_than_declared(query)),
        "/in-a-circle" => told(to, &outgoing::in_a_circle()),

        "/log-without-end" => noise::log_without_end(),
        "/stdout-without-end" => noise::stdout_without_end(),
        "/stderr-without-end" => noise::stderr_without_end(),
        "/stdout-without-lines" => noise::stdout_without_lines(),
        "/empty-writes-to-stdout" => noise::empty_writes_to_stdout(),
        "/a-line-of-1-mib" => told(to, noise::a_line_of_1_mib()),
        "/a-line-of-8-mib" => told(to, noise::a_line_of_8_mib()),
        "/escapes" => told(to, noise::escapes()),

        "/a-value-of-2-mib" => told(to, &stores::a_value_of_2_mib()),
        "/a-value-of-8-mib" => told(to, &stores::a_value_of_8_mib()),
        "/strange-keys" => told(to, &stores::strange_keys()),
        "/a-million-keys" => told(to, &stores::a_million_keys()),
        "/a-thousand-keys" => told(to, &stores::a_thousand_keys()),
        "/two-thousand-buckets" => stores::two_thousand_buckets(),
        "/strange-stores" => told(to, &stores::strange_stores()),
        "/count-without-end" => stores::count_without_end(),

        "/hoard-handles" => told(to, &again::hoard_handles()),
        "/hoard-memory" => told(to, &again::hoard_memory()),
        "/mark-and-trap" => again::mark_and(framing::trap),
        "/mark-and-exit" => again::mark_and(|| std::process::exit(0)),
        "/mark-and-spin" => again::mark_and(endless::spin),
        "/say-nothing-again" => drop(to),
        "/half-a-body-again" => framing::body_never_finished(to),
        "/marks-of-others" => told(to, again::marks_of_others()),

        "/given" => told(to, &sealed::given()),
        "/files" => told(to, &sealed::files()),
        "/tcp" => told(to, &sealed::tcp()),
        "/udp" => told(to, &sealed::udp()),
        "/names" => told(to, &sealed::names()),
        "/a-thousand-sockets" => told(to, &sealed::a_thousand_sockets()),
        "/before-1970" => told(to, &sealed::before_1970()),
        _ => told(to, "no such attack"),
    }
}

/// What follows the five bytes that are declared would be the next answer of the connection.
const SMUGGLED: &[u8] = b"helloHTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nsmuggled";

/// The arguments of an attack, decoded.
pub(crate) struct Query(BTreeMap<String, String>);

impl Query {
    fn of(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }
}
