(core module $guest
  (func $start unreachable)
  (start $start)
  (func (export "handle") (param i32 i32)))
