(core module $guest
  (import "host" "drop-fields" (func $drop-fields (param i32)))
  (func (export "handle") (param i32 i32) (call $drop-fields (local.get 1))))
