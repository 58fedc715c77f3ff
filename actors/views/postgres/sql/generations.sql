-- All generations, by number.
SELECT g.number, g.shape, g.live, EXISTS (SELECT FROM paused AS p WHERE p.view = g.view) AS paused
FROM generations AS g
ORDER BY g.number
