(core module $guest
  (func $start (call $start))
  (start $start)
  (func (export "handle") (param i32 i32)))
