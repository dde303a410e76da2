# Blocks, fibers, exceptions, big integers, regular expressions, pattern matching and files.
Point = Struct.new(:x, :y) do
  include Comparable
  def <=>(other) = x * x + y * y <=> other.x * other.x + other.y * other.y
  def to_s = "(#{x}, #{y})"
end

primes = Fiber.new do
  (2..).each { |n| Fiber.yield n if (2..Math.sqrt(n)).none? { |d| (n % d).zero? } }
end
puts Array.new(12) { primes.resume }.join(" ")
puts [Point.new(3, 4), Point.new(1, 1), Point.new(-2, 0)].sort.join(" ")
puts (1..30).inject(:*), 10.pow(40, 7_919), 2**0.5

def classify(value)
  case value
  in Integer => n if n.negative? then "negative"
  in { name: String => name, tags: [first, *] } then "#{name} #{first}"
  in [] | nil then "nothing"
  else value.class.to_s.downcase
  end
end
puts [-4, { name: "a", tags: %w[b c] }, [], 1.5].map { classify(_1) }.inspect

counts = File.read("/text.txt").scan(/\p{L}+/).map(&:downcase).tally
puts counts.sort_by { |word, count| [-count, word] }.first(4).to_h
trail = []
begin
  catch(:found) { 100.times { |i| i == 7 ? throw(:found) : trail << i } }
  Integer("no number")
rescue ArgumentError => error
  trail << error.message
ensure
  trail << :done
end
p trail, "naïve".unicode_normalize(:nfd).length rescue p trail
File.write("/out.txt", format("%08.3f|%-6s|%+d\n", Math::PI, "left", 5) + counts.keys.max_by(&:length))
