;; The component around each core module of `modules`: it answers requests with the module's `handle`
;; and gives it a few functions of the host. The memory and the `realloc` that the host writes through
;; are in a module of their own, so that a guest can misuse them.
(component
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (export "now" (func (result u64)))))
  (import "wasi:clocks/wall-clock@0.2.0" (instance $wall-clock
    (type $moment' (record (field "seconds" u64) (field "nanoseconds" u32)))
    (export "datetime" (type $moment (eq $moment')))
    (export "now" (func (result $moment)))))
  (import "wasi:random/random@0.2.0" (instance $random
    (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
  (import "wasi:logging/logging" (instance $logging
    (type $level' (enum "trace" "debug" "info" "warn" "error" "critical"))
    (export "level" (type $level (eq $level')))
    (export "log" (func (param "level" $level) (param "context" string) (param "message" string)))))
  (import "wasi:io/poll@0.2.0" (instance $io
    (export "pollable" (type $pollable (sub resource)))
    (export "poll" (func (param "in" (list (borrow $pollable))) (result (list u32))))))
  (import "wasi:http/types@0.2.0" (instance $http
    (export "fields" (type $fields (sub resource)))
    (export "incoming-request" (type $request (sub resource)))
    (export "response-outparam" (type $outparam (sub resource)))
    (export "[constructor]fields" (func (result (own $fields))))
    (export "[method]fields.clone" (func (param "self" (borrow $fields)) (result (own $fields))))
    (export "[method]incoming-request.headers"
      (func (param "self" (borrow $request)) (result (own $fields))))))
  (alias export $http "fields" (type $fields))
  (alias export $http "incoming-request" (type $request))
  (alias export $http "response-outparam" (type $outparam))

  (core func $tick (canon lower (func $clock "now")))
  {modules}
  (core instance $libc (instantiate $libc
    (with "host" (instance (export "tick" (func $tick))))))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))

  (core func $moment (canon lower (func $wall-clock "now") (memory (core memory $memory))))
  (core func $random
    (canon lower (func $random "get-random-bytes") (memory (core memory $memory)) (realloc (core func $realloc))))
  (core func $log (canon lower (func $logging "log") (memory (core memory $memory))))
  (core func $poll (canon lower (func $io "poll") (memory (core memory $memory)) (realloc (core func $realloc))))
  (core func $new-fields (canon lower (func $http "[constructor]fields")))
  (core func $clone-fields (canon lower (func $http "[method]fields.clone")))
  (core func $headers (canon lower (func $http "[method]incoming-request.headers")))
  (core func $drop-fields (canon resource.drop $fields))
  (core func $drop-request (canon resource.drop $request))
  (core instance $guest (instantiate $guest
    (with "libc" (instance $libc))
    (with "host" (instance
      (export "tick" (func $tick))
      (export "moment" (func $moment))
      (export "random" (func $random))
      (export "log" (func $log))
      (export "poll" (func $poll))
      (export "new-fields" (func $new-fields))
      (export "clone-fields" (func $clone-fields))
      (export "headers" (func $headers))
      (export "drop-fields" (func $drop-fields))
      (export "drop-request" (func $drop-request))))))

  (func $handle (param "request" (own $request)) (param "response-out" (own $outparam))
    (canon lift (core func $guest "handle"){post-return}))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))
