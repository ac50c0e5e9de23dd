# frozen_string_literal: true

# example.rb WORKER: cubes of numbers, by workers in C. WORKER is build/check/bindings/peer.
require_relative "libmp"

Libmp::Pool.open(ARGV.first, workers: 2) do |pool|
  numbers = (1..5).map { |n| [n].pack("q<") }
  p(pool.map("cube", numbers).map { |cube| cube.unpack1("q<") })
end
