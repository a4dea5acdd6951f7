(core module $guest
  (import "host" "drop-request" (func $drop-request (param i32)))
  (import "host" "headers" (func $headers (param i32) (result i32)))
  (func (export "handle") (param i32 i32)
    (call $drop-request (local.get 0))
    (drop (call $headers (local.get 0)))))
