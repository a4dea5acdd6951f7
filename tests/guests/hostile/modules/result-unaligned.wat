(core module $guest
  (import "host" "moment" (func $moment (param i32)))
  (func (export "handle") (param i32 i32) (call $moment (i32.const 3))))
