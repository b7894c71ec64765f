-- not for psql, which would take the rest of the file for the text's end
SELECT 'before';

SELECT E'unterminated;

SELECT "unterminated;

SELECT $tag$ unterminated;

/* unterminated;

SELECT (1;

SELECT 1 /* a /* nested */ comment */ AS one, '/* in a string */' AS two;

SELECT 'a' -- a comment; with a semicolon
'b' AS joined;

SELECT U&'\zzzz';

SELECT b'2';

SELECT 1::;

SELECT ;;

;

SELECT 'after';
