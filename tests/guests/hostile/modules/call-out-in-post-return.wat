;; A component must not be left from there.
(core module $guest
  (import "host" "tick" (func $tick (result i64)))
  (func (export "handle") (param i32 i32))
  (func (export "post-return") (drop (call $tick))))
