//! One component of WASI 0.3 that attacks its host as the path says, with what 0.2 does not have:
//! async functions, streams, futures and tasks. Each path is one row of the table in
//! `../hostile/README.md`.

mod answer;
mod endless;
mod ends;
mod framing;
mod greedy;
mod outgoing;

use wasip3::http::types::{ErrorCode, Request, Response};

use crate::answer::told;

struct Hostile;

wasip3::http::service::export!(Hostile);

impl wasip3::exports::http::handler::Guest for Hostile {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let target = request.get_path_with_query().unwrap_or_default();
        let path = target.split_once('?').map_or(&*target, |(path, _)| path);
        Ok(match path {
            "/spin-in-an-async-call" => endless::spin(),
            "/spin-in-a-task" => framing::in_a_task(|| endless::spin()),
            "/yield-without-end" => endless::yield_without_end().await,
            "/wait-for-itself" => endless::wait_for_itself().await,
            "/wait-for-its-own-future" => endless::wait_for_its_own_future().await,
            "/wait-for-ages-in-a-task" => endless::wait_for_ages_in_a_task(),
            "/wait-until-the-end-of-time" => endless::wait_until_the_end_of_time().await,
            "/talk-to-itself-without-end" => endless::talk_to_itself_without_end().await,
            "/nothing-to-itself-without-end" => endless::nothing_to_itself_without_end().await,
            "/recurse-in-an-async-call" => told(endless::recurse(0).to_string()),

            "/a-million-streams" => greedy::a_million_streams(),
            "/a-million-futures" => greedy::a_million_futures(),
            "/a-million-sets" => greedy::a_million_sets(),
            "/a-hundred-thousand-waits" => greedy::a_hundred_thousand_waits().await,
            "/streams-made-and-dropped" => greedy::streams_made_and_dropped(),
            "/waits-begun-and-given-up" => told(greedy::waits_begun_and_given_up().await),
            "/a-million-fields-of-0.3" => greedy::a_million_fields(),
            "/all-random-bytes-of-0.3" => greedy::all_random_bytes(),
            "/a-header-of-10-mib-of-0.3" => greedy::a_header_of_10_mib(),
            "/all-into-a-stream" => greedy::all_into_a_stream(),

            "/cancel-the-wrong-end" => ends::cancel_the_wrong_end(),
            "/cancel-nothing" => ends::cancel_nothing(),
            "/read-where-it-writes" => ends::read_where_it_writes(),
            "/write-where-it-reads" => ends::write_where_it_reads(),
            "/read-twice-at-once" => ends::read_twice_at_once(),
            "/drop-an-end-in-use" => ends::drop_an_end_in_use(),
            "/drop-an-end-twice" => ends::drop_an_end_twice(),
            "/drop-the-wrong-end" => ends::drop_the_wrong_end(),
            "/use-a-forged-end" => ends::use_a_forged_end(),
            "/read-beyond-memory-by-a-stream" => ends::read_beyond_memory(),
            "/write-beyond-memory-by-a-stream" => ends::write_beyond_memory(),
            "/drop-a-promise" => ends::drop_a_promise(),
            "/wait-for-a-forged-thing" => ends::wait_for_a_forged_thing(),
            "/drop-a-set-in-use" => ends::drop_a_set_in_use(),
            "/cancel-its-own-task" => ends::cancel_its_own_task(),
            "/hold-back-without-end" => ends::hold_back_without_end(),

            "/trap-in-a-task" => framing::in_a_task(|| core::arch::wasm32::unreachable()),
            "/exit-in-a-task" => framing::in_a_task(|| std::process::exit(0)),
            "/body-without-end-of-0.3" => framing::body_without_end(),
            "/nothing-without-end" => framing::nothing_without_end(),
            "/length-too-long-of-0.3" => framing::length("100"),
            "/length-too-short-of-0.3" => framing::length("5"),
            "/trailers-that-never-come" => framing::trailers_that_never_come(),
            "/trailers-that-fail" => framing::trailers_that_fail(),
            "/its-own-request-as-an-answer" => framing::its_own_request_as_an_answer(request),
            "/64-mib-of-0.3" => framing::sixty_four_mib(),

            "/ask-of-0.3" => told(outgoing::ask("127.0.0.1:1").await),
            "/ask-metadata-of-0.3" => told(outgoing::ask("169.254.169.254").await),
            "/spin-beside-others" => endless::spin(),
            "/yield-beside-others" => endless::yield_without_end().await,
            "/wait-beside-others" => endless::wait_for_itself().await,
            _ => told("no such attack"),
        })
    }
}
