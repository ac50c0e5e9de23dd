# Turns mp.h into what Doxygen reads: comments into its own, sections into groups, parameters, statuses and what else has a
# heading into its commands.

function close_group() { if (group != "") print "/** @} */"; group = "" }

# The first comment is for the first page, as it is.
NR == 1 { print "/** @mainpage libmp"; print " * @verbatim"; first = 1; next }
first && /^ \*\/$/ { print " * @endverbatim"; print " */"; first = 0; next }
first { print; next }

# Sections.
/^\/\* ---- [a-z_]+ -/ {
    close_group()
    group = $3
    print "/** @defgroup libmp_" group " " group
    heading = 1
    next
}
heading && /^ \*\/$/ { print " * @{"; print " */"; heading = 0; next }
heading && /^ \*$/ { print; next }
/^#ifdef __cplusplus$/ && group != "" { close_group() }

/^ *\/\*/ { sub(/\/\*/, "/**"); split("", told) }
/^ *\*|^ *\/\*\*/ {
    # Parameters, one or more in a line; statuses; headings.
    while (match($0, /(^ \* |\. )[a-z_]+(, [a-z_]+)*: /)) {
        name = substr($0, RSTART, RLENGTH)
        rest = substr($0, RSTART + RLENGTH)
        before = substr($0, 1, RSTART - 1)
        if (name ~ /^\. /) before = before "."
        gsub(/^ \* |^\. |: $/, "", name)
        gsub(/, /, ",", name)
        if (before != "") print before
        $0 = " * @param " name " " rest
    }
    if (match($0, /^ \* MP_[A-Z_]+(, MP_[A-Z_]+)*: /)) {
        count = split(substr($0, 4, RLENGTH - 5), names, ", ")
        rest = substr($0, RLENGTH + 1)
        # A status may be told of twice: of the call, and of what it makes. Doxygen takes the first.
        again = 0
        for (i = 1; i <= count; i++) again += told[names[i]]++
        name = names[1]
        for (i = 2; i <= count; i++) name = name (again ? ", " : ",") names[i]
        $0 = again ? " * @li " name ": " rest : " * @retval " name " " rest
    }
    if (match($0, /^ \* (Threads|Fork|Kill|Fork, Kill): /)) {
        print " * @par " substr($0, 4, RLENGTH - 5)
        $0 = " * " substr($0, RLENGTH + 1)
    }
    # Rows of two columns.
    if (match($0, /^ \* [a-z]+  +[^ ]/)) sub(/^ \* /, " * @li ")
    gsub(/</, "\\&lt;")
    gsub(/>/, "\\&gt;")
}
{ print }
END { close_group() }
