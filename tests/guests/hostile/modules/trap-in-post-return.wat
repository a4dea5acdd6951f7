(core module $guest
  (func (export "handle") (param i32 i32))
  (func (export "post-return") unreachable))
