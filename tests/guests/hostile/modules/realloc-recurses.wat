(core module $libc
  (memory (export "memory") 1)
  (func $realloc (export "realloc") (param i32 i32 i32 i32) (result i32)
    (call $realloc (local.get 0) (local.get 1) (local.get 2) (local.get 3))))
(core module $guest
  (import "host" "random" (func $random (param i64 i32)))
  (func (export "handle") (param i32 i32) (call $random (i64.const 16) (i32.const 0))))
